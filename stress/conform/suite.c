#include "stress/conform/suite.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/barrier.h"
#include "base/check.h"
#include "stress/conform/underway.h"

#if defined(__SANITIZE_THREAD__)
#define DIVISOR 50
#elif defined(__SANITIZE_ADDRESS__)
#define DIVISOR 20
#else
#define DIVISOR 4
#endif

/* --- what must hold --- */

void expect_failed(const char *file, int line, const char *format, ...)
{
	const char *slash = strrchr(file, '/');
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fprintf(stderr, "%s:%d: %s\n", slash ? slash + 1 : file, line, text);
	child_leave(CHILD_FAILED);
}

const char *code_name(int code)
{
	static const struct {
		int code;
		const char *name;
	} known[] = {
		{ 0, "0" },
		{ -EAGAIN, "-EAGAIN" },
		{ -EPIPE, "-EPIPE" },
		{ -ETIMEDOUT, "-ETIMEDOUT" },
		{ -EINVAL, "-EINVAL" },
		{ -ENOMEM, "-ENOMEM" },
		{ -ECANCELED, "-ECANCELED" },
		{ -EMFILE, "-EMFILE" },
		{ -EINTR, "-EINTR" },
		{ -EOPNOTSUPP, "-EOPNOTSUPP" },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (known[i].code == code)
			return known[i].name;
	return "something else";
}

/*
 * "try_send" of "weft_chan_try_send(c, &elem)", and the like: what a user of
 * the channel knows it by. What is no call is a name already.
 */
static void plain_name(const char *call, char *to, size_t bytes)
{
	static const char *const ours[] = { "weft_chan_", "weft_", "chan_",
		                            "tag_" };
	const char *end = strchr(call, '('), *begin;
	size_t n;

	if (!end)
		end = call + strlen(call);
	for (begin = end; begin > call && begin[-1] != '>' && begin[-1] != '.';)
		begin--;
	for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++) {
		n = strlen(ours[i]);
		if (strncmp(begin, ours[i], n) == 0) {
			begin += n;
			break;
		}
	}
	if (strncmp(begin, "choice_make(", strlen("choice_make(")) == 0)
		snprintf(to, bytes, "select");
	else
		snprintf(to, bytes, "%.*s", (int)(end - begin), begin);
}

void expect_code_failed(const char *file, int line, const char *call, int got,
                        int want)
{
	char name[64];

	plain_name(call, name, sizeof(name));
	expect_failed(file, line, "%s returned %s (%d); it must return %s",
	              name, code_name(got), got, code_name(want));
}

/* --- channels --- */

struct weft_chan *cell_chan_of(const struct cell *cell, size_t cap,
                               size_t elem_size,
                               const struct weft_chan_opts *opts)
{
	struct weft_chan_opts full = { 0 };
	struct weft_chan *c = NULL;

	if (opts)
		full = *opts;
	full.wait = cell->wait;
	underway_plain(NULL, "create");
	MUST(weft_chan_new(&c, cell->impl, cap, elem_size, &full), 0);
	underway_end(0, 0);
	underway_new(c);
	return c;
}

struct weft_chan *cell_chan(const struct cell *cell)
{
	return cell_chan_of(cell, cell->cap, cell->elem, NULL);
}

int chan_close(struct weft_chan *c)
{
	int err;

	underway_plain(c, "close");
	err = weft_chan_close(c);
	underway_end(0, 0);
	if (!err)
		underway_closed(c);
	return err;
}

size_t chan_len(const struct weft_chan *c)
{
	size_t len;

	underway_plain(c, "len");
	len = weft_chan_len(c);
	underway_end(0, 0);
	return len;
}

bool cell_takes(const struct cell *cell, size_t cap)
{
	return weft_chan_impl_accepts(cell->impl, cap, cell->elem, NULL, 0) ==
	       0;
}

void chan_must_be_idle_at(const char *file, int line, struct weft_chan *c)
{
	struct weft_chan_stats stats;

	weft_chan_stats(c, &stats);
	if (stats.waiting != 0)
		expect_failed(
		        file, line,
		        "%llu waiters are registered at a channel on which "
		        "nobody waits any more",
		        (unsigned long long)stats.waiting);
}

void chan_end_at(const char *file, int line, struct weft_chan *c)
{
	chan_must_be_idle_at(file, line, c);
	underway_plain(c, "destroy");
	weft_chan_unref(c);
	underway_end(0, 0);
}

/* --- partners --- */

/* The i-th, and in *n how many there are. */
static const struct weft_chan_impl *partner_at(const struct cell *cell,
                                               size_t i, unsigned *n)
{
	const struct weft_chan_impl *impl, *found = i ? NULL : cell->impl;

	*n = 1;
	for (size_t k = 0; (impl = weft_chan_impl_at(k)); k++) {
		if (impl == cell->impl || !(impl->can & WEFT_CAN_SELECT) ||
		    weft_chan_impl_accepts(impl, 1, cell->elem, NULL, 0))
			continue;
		if ((*n)++ == i)
			found = impl;
	}
	return found;
}

static void say_partner(const char *name)
{
	char *tail = strstr(vital->where, ", with ");
	size_t used =
	        tail ? (size_t)(tail - vital->where) : strlen(vital->where);

	snprintf(vital->where + used, sizeof(vital->where) - used, ", with %s",
	         name);
}

bool cell_partner(const struct cell *cell, size_t i, struct cell *partner)
{
	unsigned n;
	const struct weft_chan_impl *impl = partner_at(cell, i, &n);

	if (!impl)
		return false;
	*partner = *cell;
	partner->impl = impl;
	partner->variants = cell->variants * n;
	partner->exact = impl->can & WEFT_CAN_LEN;
	partner->unbounded = impl->can & WEFT_CAN_UNBOUNDED;
	partner->ordered = impl->can & (WEFT_CAN_FIFO | WEFT_CAN_PRODUCER_FIFO);
	partner->one_order = impl->can & WEFT_CAN_FIFO;
	partner->timed = impl->can & WEFT_CAN_TIMEOUT;
	if (!impl_selects(impl, partner->cap, partner->elem))
		partner->cap = 1;
	say_partner(impl->name);
	vital_goes_on();
	return true;
}

/* --- filling and emptying --- */

size_t chan_fill(struct weft_chan *c, uint32_t from, size_t n)
{
	size_t i = 0;
	int err = 0;

	while (i < n && (err = tag_try_send(c, from + (uint32_t)i)) == 0)
		i++;
	if (err)
		MUST_OF("try_send", err, -EAGAIN);
	return i;
}

static void must_end_at(const char *file, int line, struct weft_chan *c)
{
	uint32_t tag;
	int err = tag_recv(c, &tag, WEFT_FOREVER);

	if (err == -EPIPE)
		err = tag_try_recv(c, &tag);
	if (err != -EPIPE)
		expect_failed(file, line,
		              "a receive from a closed and drained channel "
		              "returned %s; it must return -EPIPE",
		              code_name(err));
}

/* In any order: each once, as far as its size leaves one to tell from another.
 */
static void must_drain_bag_at(const char *file, int line,
                              const struct cell *cell, struct weft_chan *c,
                              uint32_t from, size_t n)
{
	bool tells = cell->elem >= sizeof(uint32_t), *seen;
	uint32_t tag;
	int err;

	NEED_MEMORY(seen = calloc(n + 1, sizeof(*seen)));
	for (size_t i = 0; i < n; i++) {
		err = tag_recv(c, &tag, WEFT_FOREVER);
		if (err)
			expect_failed(
			        file, line,
			        "recv returned %s with elements still inside",
			        code_name(err));
		if (tells && (tag - from >= n || seen[tag - from]))
			expect_failed(file, line,
			              "received element %u, which was %s", tag,
			              tag - from >= n ? "not inside"
			                              : "received before");
		if (tells)
			seen[tag - from] = true;
	}
	free(seen);
}

void must_drain_at(const char *file, int line, const struct cell *cell,
                   struct weft_chan *c, uint32_t from, size_t n)
{
	if (cell->ordered)
		for (size_t i = 0; i < n; i++)
			must_recv_at(file, line, c, from + (uint32_t)i,
			             WEFT_FOREVER);
	else
		must_drain_bag_at(file, line, cell, c, from, n);
	must_end_at(file, line, c);
}

/* --- two senders --- */

void intake_begin(struct intake *in, const struct cell *cell, size_t first,
                  size_t second)
{
	*in = (struct intake){ .cell = cell,
		               .first = (uint32_t)first,
		               .most = (uint32_t)(first + second) };
	in->next[1] = in->first;
	NEED_MEMORY(in->seen = calloc(in->most + 1, sizeof(*in->seen)));
}

void intake_take(struct intake *in, uint32_t tag)
{
	uint32_t *next = &in->next[tag >= in->first];

	REQUIRE(tag < in->most, "received element %u, which nobody sent", tag);
	REQUIRE(!in->seen[tag], "element %u was received twice", tag);
	in->seen[tag] = true;
	REQUIRE(!in->cell->ordered || tag == *next,
	        "received element %u; element %u is the next of its sender",
	        tag, *next);
	REQUIRE(!in->cell->one_order || tag == in->n,
	        "received element %u; element %u is the next of all", tag,
	        in->n);
	++*next;
	in->n++;
}

void intake_end(struct intake *in, size_t second)
{
	for (uint32_t tag = 0; tag < in->most; tag++)
		REQUIRE(in->seen[tag] == (tag < in->first + second),
		        "element %u was %s", tag,
		        in->seen[tag] ? "received, though its send failed"
		                      : "lost");
	free(in->seen);
	in->seen = NULL;
}

void intake_drain(struct intake *in, struct weft_chan *c, size_t second)
{
	uint32_t tag;
	int err;

	while ((err = tag_recv(c, &tag, WEFT_FOREVER)) == 0)
		intake_take(in, tag);
	MUST_OF("recv", err, -EPIPE);
	intake_end(in, second);
}

/* --- how much --- */

/* Where each wait is a switch of threads, a message costs ten times as much
 * and more. */
#define BLOCKING_DIVISOR 10

unsigned cell_some(const struct cell *cell, unsigned n)
{
	return cell->percent < 100 ? n * cell->percent / 100 + 1 : n;
}

unsigned cell_times(const struct cell *cell, unsigned total, unsigned least)
{
	uint64_t n = (uint64_t)total * cell->percent /
	             (100u * DIVISOR * cell->variants);

	least = cell_some(cell, least);
	if (cell->impl->can & WEFT_BLOCKS_THREAD) {
		n /= BLOCKING_DIVISOR;
		least = least / 5 + 1;
	}
	return n > least ? (unsigned)n : least;
}

/* Long enough for some ten thousand rounds of a race. */
#define WINDOW (100 * WEFT_MS)

int64_t cell_window(const struct cell *cell)
{
	return WINDOW * (int64_t)cell->percent / 100 / cell->variants;
}

static unsigned at_most(unsigned n, unsigned max)
{
	return max && max < n ? max : n;
}

unsigned cell_senders(const struct cell *cell, unsigned n)
{
	return at_most(n, cell->impl->max_senders);
}

unsigned cell_receivers(const struct cell *cell, unsigned n)
{
	return at_most(n, cell->impl->max_receivers);
}

bool cell_is_limited(const struct cell *cell)
{
	return cell->impl->max_senders || cell->impl->max_receivers;
}

/* --- tasks --- */

struct weft_task *task_start(const char *name, weft_task_fn fn, void *arg)
{
	struct weft_task_opts opts = { .name = name };
	struct weft_task *task = NULL;
	int err = weft_spawn(&task, &opts, fn, arg);

	if (err)
		child_untried("the machine has no thread to give: %s",
		              strerror(-err));
	return task;
}

void task_finish(struct weft_task *task)
{
	int status = -1;

	MUST(weft_join(task, &status), 0);
	REQUIRE(status == 0, "a task ended with %d", status);
}

static int do_call(struct call *call)
{
	uint32_t tags[MANY_MAX];
	int err;

	switch (call->form) {
	case FORM_SEND:
		if (call->elem)
			return weft_chan_send(call->c, call->elem,
			                      call->deadline_ns);
		return tag_send(call->c, call->tag, call->deadline_ns);
	case FORM_RECV:
		if (call->elem)
			return weft_chan_recv(call->c, call->elem,
			                      call->deadline_ns);
		return tag_recv(call->c, &call->tag, call->deadline_ns);
	case FORM_SEND_MANY:
		for (size_t i = 0; i < call->n; i++)
			tags[i] = call->tag + (uint32_t)i;
		return tag_send_many(call->c, tags, call->n, &call->done,
		                     call->deadline_ns);
	case FORM_RECV_MANY:
		err = tag_recv_many(call->c, tags, call->n, &call->done,
		                    call->deadline_ns);
		if (!err && call->done)
			call->tag = tags[0];
		return err;
	case FORM_SELECT:
		return choice_make(call->choice, call->deadline_ns);
	}
	return -EINVAL;
}

static int call_main(void *arg)
{
	struct call *call = arg;

	weft_store_release(&call->thread, (int)syscall(SYS_gettid));
	call->result = do_call(call);
	call->ended_ns = weft_now();
	weft_store_release(&call->over, true); /* [over] */
	return 0;
}

const char *form_name(enum form form)
{
	static const char *const names[] = { "send", "recv", "send_many",
		                             "recv_many", "select" };

	return names[form];
}

void call_begin(struct call *call)
{
	call->began_ns = call->asleep_ns = 0;
	weft_store_relaxed(&call->thread, 0);
	weft_store_relaxed(&call->over, false);
	call->task = task_start(form_name(call->form), call_main, call);
}

bool call_is_over(const struct call *call)
{
	return weft_load_acquire(&call->over); /* [over] */
}

int call_end(struct call *call)
{
	task_finish(call->task);
	vital_goes_on();
	return call->result;
}

void calls_begin(struct call *calls, size_t n, const struct call *like)
{
	for (size_t i = 0; i < n; i++) {
		calls[i].c = like->c;
		calls[i].form = like->form;
		calls[i].deadline_ns = like->deadline_ns;
		calls[i].tag = like->tag + (uint32_t)i;
		calls[i].n = like->n;
		calls[i].elem = NULL;
		calls[i].done = 0;
		call_begin(&calls[i]);
	}
}

/* --- waiting for a wait --- */

/*
 * The state letter of a thread of this process and how often it gave up its
 * CPU. 0 when the thread is gone or the system does not say.
 */
static char thread_state(int thread, unsigned long *switches)
{
	static const char state_key[] = "State:\t";
	static const char switches_key[] = "voluntary_ctxt_switches:\t";
	char path[64], line[128], state = 0;
	FILE *f;

	*switches = 0;
	snprintf(path, sizeof(path), "/proc/self/task/%d/status", thread);
	f = fopen(path, "re");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, state_key, strlen(state_key)) == 0)
			state = line[strlen(state_key)];
		if (strncmp(line, switches_key, strlen(switches_key)) == 0)
			*switches =
			        strtoul(line + strlen(switches_key), NULL, 10);
	}
	fclose(f);
	return state;
}

/*
 * Implementations that block the thread do it where weft cannot see it, so the
 * kernel is asked: a call waits when its thread has been asleep for 2 ms
 * without running in between. One that spins is never asleep, and is taken to
 * wait after 50 ms: too early a verdict would make a check see less, and never
 * fail one.
 */
static bool is_asleep(struct call *call, int64_t now_ns)
{
	int thread = weft_load_acquire(&call->thread);
	unsigned long switches = 0;

	if (call_is_over(call))
		return true;
	if (!thread)
		return false;
	if (!call->began_ns)
		call->began_ns = now_ns;
	if (now_ns - call->began_ns > 50 * WEFT_MS)
		return true;
	if (thread_state(thread, &switches) == 'S' &&
	    switches == call->switches)
		return now_ns - call->asleep_ns > 2 * WEFT_MS;
	call->switches = switches;
	call->asleep_ns = now_ns;
	return false;
}

void cell_settle(const struct cell *cell, struct call *calls, size_t n)
{
	size_t asleep = 0;

	if (cell->manual) {
		MUST(weft_clock_settle(), 0);
		return;
	}
	while (asleep < n) {
		weft_yield();
		asleep = 0;
		for (size_t i = 0; i < n; i++)
			asleep += is_asleep(&calls[i], weft_now());
	}
}

int64_t cell_span(const struct cell *cell)
{
	return cell->manual ? WEFT_SEC : 20 * WEFT_MS;
}

void cell_reach(const struct cell *cell, int64_t deadline_ns)
{
	int64_t left = deadline_ns - weft_now();

	if (!cell->manual) {
		/* Nothing but time itself can be waited for here. */
		weft_sleep_until(deadline_ns);
		return;
	}
	if (left > 0)
		MUST(weft_clock_advance(left), 0);
	MUST(weft_clock_settle(), 0);
}

/* --- races --- */

struct actor {
	struct race *race;
	unsigned number;
};

/* At the gate, instead of a round: all are over. */
#define RACE_OVER UINT_MAX

/* Pause, and in the end yield, until the gate shows another round. */
static unsigned await_gate(struct race *r, unsigned last)
{
	unsigned round;

	for (unsigned i = 0; (round = weft_load_acquire(&r->gate)) == last;
	     i++) {
		if (i < 200)
			weft_relax();
		else
			weft_yield();
	}
	return round;
}

static void await_actors(struct race *r, unsigned n)
{
	for (unsigned i = 0; weft_load_acquire(&r->arrived) != n; i++) {
		if (i < 200)
			weft_relax();
		else
			weft_yield();
	}
}

/* How long it takes until another CPU has seen the gate, in turns of the loop
 * below. */
#define HEAD_START 200

/* A turn is about a cycle: up to 2 us or so, and each power of two below that
 * as likely as the next. */
static void stagger(unsigned at_least)
{
	uint64_t r = weft_rand();
	unsigned turns = (unsigned)(r >> 8) & ((1u << r % 14) - 1);

	for (turns += at_least; turns; turns--)
		weft_barrier_compiler();
}

static int actor_main(void *arg)
{
	struct actor *a = arg;
	struct race *r = a->race;
	unsigned round = 0;

	while ((round = await_gate(r, round)) != RACE_OVER) {
		stagger(0);
		r->act(r, a->number);
		weft_fetch_add_acq_rel(&r->arrived, 1u);
	}
	return 0;
}

static void one_round(struct race *r)
{
	r->before(r);
	weft_store_relaxed(&r->arrived, 0u);
	weft_store_release(&r->gate, r->round);
	stagger(HEAD_START);
	r->act(r, 0);
	await_actors(r, r->actors - 1);
	r->after(r);
	vital_goes_on();
}

void race_run(struct race *r)
{
	int64_t until = r->span_ns ? weft_deadline_in(r->span_ns) : 0;
	struct actor actor[ACTORS_MAX];
	struct weft_task *task[ACTORS_MAX] = { 0 };

	CHECK_LE(r->actors, (unsigned)ACTORS_MAX);
	vital_goes_on();
	weft_store_relaxed(&r->gate, 0u);
	for (unsigned i = 1; i < r->actors; i++) {
		actor[i] = (struct actor){ r, i };
		task[i] = task_start("actor", actor_main, &actor[i]);
	}
	for (r->round = 1;
	     r->round <= r->rounds || (until && weft_now() < until); r->round++)
		one_round(r);
	weft_store_release(&r->gate, RACE_OVER);
	for (unsigned i = 1; i < r->actors; i++)
		task_finish(task[i]);
}

unsigned await_round(const _Atomic unsigned *gate, unsigned round)
{
	unsigned now, i = 0;

	while ((now = weft_load_acquire(gate)) == round)
		if (i++ < 200)
			weft_relax();
		else if (i < 2000)
			weft_yield();
		else
			weft_sleep_until(weft_deadline_in(WEFT_MS));
	return now;
}
