/*
 * The uncontended fast paths of the library, for callgrind and for counts.
 *
 * One task does each of them OPS times, so nothing here depends on a schedule:
 * what is counted is the same in every run. Prints, for each path, one line of
 * JSON with what the library asked of the system meanwhile. It is linked with
 * each side's own libweft.a and with --wrap for malloc and its kin, and for
 * syscall.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <weft/weft.h>

#define OPS 1000

static uint64_t allocations, syscalls;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t each);
void *__real_realloc(void *p, size_t n);
void *__real_aligned_alloc(size_t align, size_t n);
int __real_posix_memalign(void **p, size_t align, size_t n);
long __real_syscall(long nr, long a, long b, long c, long d, long e, long f);

void *__wrap_malloc(size_t n)
{
	allocations++;
	return __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t each)
{
	allocations++;
	return __real_calloc(n, each);
}

void *__wrap_realloc(void *p, size_t n)
{
	allocations++;
	return __real_realloc(p, n);
}

void *__wrap_aligned_alloc(size_t align, size_t n)
{
	allocations++;
	return __real_aligned_alloc(align, n);
}

int __wrap_posix_memalign(void **p, size_t align, size_t n)
{
	allocations++;
	return __real_posix_memalign(p, align, n);
}

long __wrap_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	syscalls++;
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
	ROWS_OF(spsc),
	ROW(select_handoff, "handoff"),
	ROW(select_ring, "ring"),
	ROW(lock, NULL),
	ROW(ctx, NULL),
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
	allocated = allocations;
	called = syscalls;
	path->run(e);
	allocated = allocations - allocated;
	called = syscalls - called;
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

static int run_path(const struct path *path)
{
	struct env e = { .ctx = weft_ctx_background() };
	const struct weft_chan_impl *impl = NULL;
	int err = 0;

	weft_lock_init(&e.lock);
	if (path->chan) {
		impl = weft_chan_impl_find(path->chan);
		if (!impl)
			return 0;
		err = weft_chan_new(&e.c, impl, 64, sizeof(uint64_t), NULL);
		if (!err)
			err = weft_chan_new(&e.other, impl, 64,
			                    sizeof(uint64_t), NULL);
	}
	if (!err)
		measure(path, &e);
	weft_chan_unref(e.c);
	weft_chan_unref(e.other);
	return err ? err : e.bad != 0;
}

static int run_all(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (run_path(&paths[i]))
			return 1;
	return 0;
}

int main(void)
{
	return weft_run(WEFT_THREADS, NULL, run_all, NULL) != 0;
}
