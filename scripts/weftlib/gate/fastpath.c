/*
 * The uncontended fast paths of the library, for callgrind and for counts; and
 * with an argument, for counts alone, one message there and back.
 *
 * One task does each of the fast paths OPS times, so nothing there depends on a
 * schedule: what is counted is the same in every run. Two tasks pass a message
 * to and fro, and each parks at once when it finds nothing: whether it does
 * depends on the schedule, but not how often at most, which is what the
 * ceilings say. Prints, for each path, one line of JSON with what the library
 * asked of the system meanwhile. It is linked with each side's own libweft.a
 * and with --wrap for malloc and its kin, and for syscall.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <weft/atomic.h>
#include <weft/weft.h>

#define OPS 1000

static WEFT_ATOMIC(uint64_t) allocations, syscalls;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t each);
void *__real_realloc(void *p, size_t n);
void *__real_aligned_alloc(size_t align, size_t n);
int __real_posix_memalign(void **p, size_t align, size_t n);
long __real_syscall(long nr, long a, long b, long c, long d, long e, long f);

void *__wrap_malloc(size_t n)
{
	weft_fetch_add_relaxed(&allocations, (uint64_t)1);
	return __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t each)
{
	weft_fetch_add_relaxed(&allocations, (uint64_t)1);
	return __real_calloc(n, each);
}

void *__wrap_realloc(void *p, size_t n)
{
	weft_fetch_add_relaxed(&allocations, (uint64_t)1);
	return __real_realloc(p, n);
}

void *__wrap_aligned_alloc(size_t align, size_t n)
{
	weft_fetch_add_relaxed(&allocations, (uint64_t)1);
	return __real_aligned_alloc(align, n);
}

int __wrap_posix_memalign(void **p, size_t align, size_t n)
{
	weft_fetch_add_relaxed(&allocations, (uint64_t)1);
	return __real_posix_memalign(p, align, n);
}

long __wrap_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	weft_fetch_add_relaxed(&syscalls, (uint64_t)1);
	return __real_syscall(nr, a, b, c, d, e, f);
}

struct env {
	struct weft_chan *c, *other;
	struct weft_lock lock;
	struct weft_ctx *ctx;
	uint64_t bad;
};

/* --- the paths: each does OPS operations --- */

/* Not inlined, so that callgrind knows it by its name. */
#define PATH(name)                                                             \
	__attribute__((noinline, noclone)) static void path_##name(            \
	        struct env *e)

static inline void send_recv(struct env *e)
{
	for (uint64_t i = 0; i < OPS; i++) {
		uint64_t v = i;

		e->bad += weft_chan_send(e->c, &v, WEFT_FOREVER) != 0;
		e->bad += weft_chan_recv(e->c, &v, WEFT_FOREVER) != 0 || v != i;
	}
}

static inline void try_both(struct env *e)
{
	for (uint64_t i = 0; i < OPS; i++) {
		uint64_t v = i;

		e->bad += weft_chan_try_send(e->c, &v) != 0;
		e->bad += weft_chan_try_recv(e->c, &v) != 0 || v != i;
	}
}

/* The second of two cases is ready. */
static inline void select_ready(struct env *e)
{
	for (uint64_t i = 0; i < OPS; i++) {
		uint64_t v = i, got = 0;
		struct weft_case cases[] = {
			{ .c = e->other, .op = WEFT_CASE_RECV, .elem = &got },
			{ .c = e->c, .op = WEFT_CASE_RECV, .elem = &got },
		};

		e->bad += weft_chan_try_send(e->c, &v) != 0;
		e->bad += weft_select(cases, 2, WEFT_FOREVER) != 1 || got != i;
	}
}

#define PATHS_OF(chan)                                                         \
	PATH(send_recv_##chan)                                                 \
	{                                                                      \
		send_recv(e);                                                  \
	}                                                                      \
	PATH(try_##chan)                                                       \
	{                                                                      \
		try_both(e);                                                   \
	}

PATHS_OF(condvar)
PATHS_OF(handoff)
PATHS_OF(list)
PATHS_OF(ring)
PATHS_OF(mpsc)
PATHS_OF(spsc)

PATH(select_handoff)
{
	select_ready(e);
}

PATH(select_ring)
{
	select_ready(e);
}

PATH(lock)
{
	for (uint64_t i = 0; i < OPS; i++) {
		weft_lock_acquire(&e->lock);
		weft_lock_release(&e->lock);
	}
}

PATH(ctx)
{
	for (uint64_t i = 0; i < OPS; i++)
		e->bad += weft_ctx_err(e->ctx) != 0;
}

/* Sends on c what it is to get back on other. */
static void there_and_back(struct env *e)
{
	for (uint64_t i = 0; i < OPS; i++) {
		uint64_t v = i;

		e->bad += weft_chan_send(e->c, &v, WEFT_FOREVER) != 0;
		e->bad += weft_chan_recv(e->other, &v, WEFT_FOREVER) != 0 ||
		          v != i;
	}
}

static int echo(void *arg)
{
	struct env *e = arg;
	uint64_t v;

	while (weft_chan_recv(e->c, &v, WEFT_FOREVER) == 0)
		if (weft_chan_send(e->other, &v, WEFT_FOREVER))
			return 1;
	return 0;
}

#define ROW(name, chan)                                                        \
	{                                                                      \
#name, chan, path_##name                                       \
	}
#define ROWS_OF(chan) ROW(send_recv_##chan, #chan), ROW(try_##chan, #chan)

static const struct path {
	const char *name, *chan;
	void (*run)(struct env *e);
} paths[] = {
	ROWS_OF(condvar),
	ROWS_OF(handoff),
	ROWS_OF(list),
	ROWS_OF(ring),
	ROWS_OF(mpsc),
	ROWS_OF(spsc),
	ROW(select_handoff, "handoff"),
	ROW(select_ring, "ring"),
	ROW(lock, NULL),
	ROW(ctx, NULL),
};

static const struct path twos[] = {
	{ "there_and_back_handoff", "handoff", there_and_back },
	{ "there_and_back_list", "list", there_and_back },
	{ "there_and_back_ring", "ring", there_and_back },
	{ "there_and_back_mpsc", "mpsc", there_and_back },
	{ "there_and_back_spsc", "spsc", there_and_back },
};

/* --- running them --- */

static void measure(const struct path *path, struct env *e)
{
	struct weft_run_stats before, after;
	struct rusage from, to;
	uint64_t allocated, called;

	path->run(e); /* what is made at the first use is made here */
	weft_run_stats(&before);
	getrusage(RUSAGE_SELF, &from);
	allocated = weft_load_relaxed(&allocations);
	called = weft_load_relaxed(&syscalls);
	path->run(e);
	allocated = weft_load_relaxed(&allocations) - allocated;
	called = weft_load_relaxed(&syscalls) - called;
	getrusage(RUSAGE_SELF, &to);
	weft_run_stats(&after);
	printf("{\"path\":\"%s\",\"ops\":%d,\"bad\":%llu,\"allocations\":%llu,"
	       "\"syscalls\":%llu,\"parks\":%llu,\"wakes\":%llu,"
	       "\"voluntary_switches\":%ld}\n",
	       path->name, OPS, (unsigned long long)e->bad,
	       (unsigned long long)allocated, (unsigned long long)called,
	       (unsigned long long)(after.parks - before.parks),
	       (unsigned long long)(after.wakes - before.wakes),
	       to.ru_nvcsw - from.ru_nvcsw);
}

static int make_channels(const struct path *path, struct env *e,
                         const struct weft_chan_opts *opts)
{
	const struct weft_chan_impl *impl = weft_chan_impl_find(path->chan);
	int err;

	if (!impl)
		return -ENOENT;
	err = weft_chan_new(&e->c, impl, 64, sizeof(uint64_t), opts);
	if (!err)
		err = weft_chan_new(&e->other, impl, 64, sizeof(uint64_t),
		                    opts);
	return err;
}

static int run_path(const struct path *path)
{
	struct env e = { .ctx = weft_ctx_background() };
	int err = 0;

	weft_lock_init(&e.lock);
	if (path->chan)
		err = make_channels(path, &e, NULL);
	if (!err)
		measure(path, &e);
	weft_chan_unref(e.c);
	weft_chan_unref(e.other);
	if (err)
		return err != -ENOENT; /* that channel is not in this library */
	return e.bad != 0;
}

static int run_two(const struct path *path)
{
	struct weft_chan_opts opts = { .wait = WEFT_WAIT_PARK };
	struct weft_task *peer = NULL;
	struct env e = { 0 };
	int err, status = 0;

	err = make_channels(path, &e, &opts);
	if (!err)
		err = weft_spawn(&peer, NULL, echo, &e);
	if (!err) {
		measure(path, &e);
		weft_chan_close(e.c);
		weft_join(peer, &status);
	}
	weft_chan_unref(e.c);
	weft_chan_unref(e.other);
	if (err)
		return err != -ENOENT;
	return e.bad != 0 || status;
}

static int run_all(void *arg)
{
	const bool *contended = arg;

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (run_path(&paths[i]))
			return 1;
	for (size_t i = 0; *contended && i < sizeof(twos) / sizeof(twos[0]);
	     i++)
		if (run_two(&twos[i]))
			return 1;
	return 0;
}

int main(int argc, char **argv)
{
	bool contended = argc > 1;

	(void)argv;
	return weft_run(WEFT_THREADS, NULL, run_all, &contended) != 0;
}
