/*
 * What a channel orders, and what it does not: both as the thread sanitizer
 * sees it.
 *
 * Two tasks touch one plain variable with a channel between them. Where the
 * contract orders the two, the sanitizer must be silent; where it does not, it
 * must report a race, or a silence of the first kind would prove nothing. The
 * scenarios are those of Go's race detector (race/testdata/chan_test.go).
 *
 * The steps that bring a race about are in an order that only relaxed accesses
 * make, which the sanitizer does not take for one.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <weft/sync.h>

#include "stress/conform/suite.h"

#if defined(__SANITIZE_THREAD__)
#define WITH_TSAN 1
#else
#define WITH_TSAN 0
#endif

/* --- two tasks and a variable --- */

struct play {
	struct weft_chan *c;
	struct weft_chan *idle[2]; /* of senders, and of receivers */
	struct weft_waitgroup wg;
	_Atomic int step;
	_Atomic bool begun, done; /* the second task */
	int v;                    /* plain, on purpose */
};

/* Neither orders anything. */
static void reach(struct play *p, int step)
{
	weft_store_relaxed(&p->step, step);
}

static void await(struct play *p, int step)
{
	while (weft_load_relaxed(&p->step) < step)
		weft_yield();
}

static void send(struct play *p)
{
	MUST(tag_send(p->c, 1, WEFT_FOREVER), 0);
}

static void recv(struct play *p)
{
	uint32_t tag;

	MUST(tag_recv(p->c, &tag, WEFT_FOREVER), 0);
}

/* The case beside it is never ready. */
static int select_one(struct play *p, enum weft_case_op op)
{
	struct choice ch;

	ch.n = 0;
	choice_recv(&ch, p->idle[op]);
	if (op == WEFT_CASE_SEND)
		choice_send(&ch, p->c, 1);
	else
		choice_recv(&ch, p->c);
	MUST(choice_make(&ch, WEFT_FOREVER), 1);
	return choice_err(&ch, 1);
}

/* --- ordered --- */

static void write_send(struct play *p)
{
	p->v = 1;
	send(p);
}

static void recv_write(struct play *p)
{
	recv(p);
	p->v = 2;
}

static void send_write(struct play *p)
{
	send(p);
	p->v = 2;
}

static void write_recv(struct play *p)
{
	p->v = 1;
	recv(p);
}

static void write_close(struct play *p)
{
	p->v = 1;
	MUST(weft_chan_close(p->c), 0);
}

static void recv_end_write(struct play *p)
{
	uint32_t tag;

	MUST(tag_recv(p->c, &tag, WEFT_FOREVER), -EPIPE);
	p->v = 2;
}

static void select_send_write(struct play *p)
{
	MUST(select_one(p, WEFT_CASE_SEND), 0);
	p->v = 2;
}

static void write_select_send(struct play *p)
{
	p->v = 1;
	MUST(select_one(p, WEFT_CASE_SEND), 0);
}

static void select_recv_write(struct play *p)
{
	MUST(select_one(p, WEFT_CASE_RECV), 0);
	p->v = 2;
}

static void select_end_write(struct play *p)
{
	MUST(select_one(p, WEFT_CASE_RECV), -EPIPE);
	p->v = 2;
}

static void as_a_mutex(struct play *p)
{
	for (int i = 0; i < 20; i++) {
		send(p);
		p->v++;
		recv(p);
	}
}

static void as_a_mutex_by_select(struct play *p)
{
	for (int i = 0; i < 20; i++) {
		MUST(select_one(p, WEFT_CASE_SEND), 0);
		p->v++;
		MUST(select_one(p, WEFT_CASE_RECV), 0);
	}
}

static void write_done(struct play *p)
{
	p->v = 1;
	weft_waitgroup_done(&p->wg);
}

static void wait_write(struct play *p)
{
	MUST(weft_waitgroup_wait(&p->wg, WEFT_FOREVER), 0);
	p->v = 2;
}

/* --- not ordered --- */

static void send_write_first(struct play *p)
{
	send(p);
	p->v = 1;
	reach(p, 1);
}

static void then_write_recv(struct play *p)
{
	await(p, 1);
	write_recv(p);
}

static void then_write_close(struct play *p)
{
	await(p, 1);
	write_close(p);
}

static void select_send_write_first(struct play *p)
{
	select_send_write(p);
	reach(p, 1);
}

static void hold_one(struct play *p)
{
	send(p);
	p->v = 1;
	reach(p, 1);
	await(p, 2);
	recv(p);
}

static void hold_another(struct play *p)
{
	await(p, 1);
	send(p);
	p->v = 2;
	reach(p, 2);
	recv(p);
}

static void see_len_write(struct play *p)
{
	while (weft_chan_len(p->c) == 0)
		weft_yield();
	p->v = 2;
}

static void see_none_write(struct play *p)
{
	while (weft_chan_len(p->c) != 0)
		weft_yield();
	p->v = 2;
}

/* --- scenarios --- */

enum {
	SELECTS = 1, /* needs WEFT_CAN_SELECT */
	FULL = 2,    /* begins with an element inside */
	TOKENS = 4,  /* one element is one space: not where those are kept
	              * by the kernel */
	LEN = 8,     /* is about len: see orders_by_len() */
};

static const struct scenario {
	const char *name;
	size_t cap;
	bool races;
	unsigned flags;
	void (*first)(struct play *p);
	void (*second)(struct play *p);
} scenarios[] = {
	{ "sync", 0, false, 0, write_send, recv_write },
	{ "sync reversed", 0, false, 0, send_write, write_recv },
	{ "async", 10, false, 0, write_send, recv_write },
	{ "close, recv", 10, false, 0, write_close, recv_end_write },
	{ "mutex", 1, false, TOKENS, as_a_mutex, as_a_mutex },
	{ "blocked select, send", 0, false, SELECTS, select_send_write,
	  write_recv },
	{ "select, send", 10, false, SELECTS, write_select_send, recv_write },
	{ "select, recv", 10, false, SELECTS, write_send, select_recv_write },
	{ "select, both", 10, false, SELECTS, write_select_send,
	  select_recv_write },
	{ "select, both, sync", 0, false, SELECTS, write_select_send,
	  select_recv_write },
	{ "select, closed", 10, false, SELECTS, write_close, select_end_write },
	{ "mutex by select", 1, false, SELECTS, as_a_mutex_by_select,
	  as_a_mutex_by_select },
	{ "waitgroup", 10, false, 0, write_done, wait_write },

	{ "async reversed", 10, true, 0, send_write_first, then_write_recv },
	{ "select, async reversed", 10, true, SELECTS, select_send_write_first,
	  then_write_recv },
	{ "close, send", 10, true, 0, send_write_first, then_write_close },
	{ "semaphore of 2", 2, true, TOKENS, hold_one, hold_another },
	{ "send, len", 10, true, LEN, write_send, see_len_write },
	{ "recv, len", 10, true, LEN | FULL, write_recv, see_none_write },
};

#define SCENARIOS (sizeof(scenarios) / sizeof(*scenarios))

/* len orders nothing. Channels whose len takes a lock or an acquire give more
 * than is promised, so there is no race for the sanitizer to see. */
static bool orders_by_len(const struct weft_chan_impl *impl)
{
	static const char *const names[] = { "handoff", "list", "mpsc", "ring",
		                             "spsc" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(impl->name, names[i]) == 0)
			return true;
	return false;
}

static bool applies(const struct scenario *s, const struct weft_chan_impl *impl)
{
	if ((s->flags & LEN) && orders_by_len(impl))
		return false;
	if ((impl->can & WEFT_NO_DATA) ||
	    weft_chan_impl_accepts(impl, s->cap, 8, NULL, 0))
		return false;
	if ((s->flags & SELECTS) && !(impl->can & WEFT_CAN_SELECT))
		return false;
	/* Both tasks send and receive. */
	if (s->first == s->second || s->first == hold_one)
		if (impl->max_senders == 1 || impl->max_receivers == 1 ||
		    !(impl->can & WEFT_CAN_BOUNDED))
			return false;
	return !(s->flags & TOKENS) || (impl->can & WEFT_CAN_LEN);
}

/* --- in a process of its own --- */

struct run {
	const struct scenario *scenario;
	const struct weft_chan_impl *impl;
	struct play *play;
};

/* The begin and the end of a task order it, so neither may come between. */
static int first(void *arg)
{
	struct run *r = arg;

	while (!weft_load_relaxed(&r->play->begun))
		weft_yield();
	r->scenario->first(r->play);
	while (!weft_load_relaxed(&r->play->done))
		weft_yield();
	return 0;
}

static int second(void *arg)
{
	struct run *r = arg;

	weft_store_relaxed(&r->play->begun, true);
	r->scenario->second(r->play);
	weft_store_relaxed(&r->play->done, true);
	return 0;
}

static int play_once(void *arg)
{
	struct run *r = arg;
	struct cell cell = { .impl = r->impl, .elem = 8 };
	struct play p = { .c = cell_chan_of(&cell, r->scenario->cap, 8, NULL) };
	struct weft_task *task[2];

	for (int i = 0; i < 2; i++)
		p.idle[i] = cell_chan_of(&cell, r->scenario->cap, 8, NULL);
	r->play = &p;
	weft_waitgroup_init(&p.wg);
	weft_waitgroup_add(&p.wg, 1);
	if (r->scenario->flags & FULL)
		send(&p);
	task[0] = task_start("first", first, r);
	task[1] = task_start("second", second, r);
	task_finish(task[0]);
	task_finish(task[1]);
	chan_end(p.c);
	chan_end(p.idle[0]);
	chan_end(p.idle[1]);
	return 0;
}

static int play(void *arg)
{
	struct run *r = arg;

	for (int i = 0; i < (r->scenario->races ? 1 : 20); i++)
		MUST(weft_run(WEFT_THREADS, NULL, play_once, r), 0);
	return 0;
}

/* Whether a race was reported. Whatever else goes wrong fails the test. */
static bool races(const struct scenario *s, const struct weft_chan_impl *impl)
{
	struct run r = { .scenario = s, .impl = impl };
	struct child child;
	bool reported;

	assert_int_equal(child_run(play, &r, 60 * WEFT_SEC, NULL, &child), 0);
	reported = strstr(child.log, "ThreadSanitizer: data race");
	if (child.end != CHILD_EXITED || (child.status != 0 && !reported) ||
	    (reported && !s->races))
		printf("%s on %s: %s\n", s->name, impl->name, child.log);
	assert_int_equal(child.end, CHILD_EXITED);
	assert_true(child.status == 0 || reported);
	child_free(&child);
	return reported;
}

static unsigned wrong(const struct scenario *s)
{
	const struct weft_chan_impl *impl;
	unsigned n = 0;

	for (size_t i = 0; (impl = weft_chan_impl_at(i)); i++) {
		bool reported;

		if (!applies(s, impl))
			continue;
		reported = races(s, impl);
		printf("%-24s %-12s %s\n", s->name, impl->name,
		       reported ? "race" : "silence");
		n += reported != s->races;
	}
	return n;
}

static void what_is_ordered_is_no_race(void **state)
{
	unsigned n = 0;

	(void)state;
	for (size_t i = 0; i < SCENARIOS; i++)
		if (!scenarios[i].races)
			n += wrong(&scenarios[i]);
	assert_int_equal(n, 0);
}

static void what_is_not_ordered_is_a_race(void **state)
{
	unsigned n = 0;

	(void)state;
	for (size_t i = 0; i < SCENARIOS; i++)
		if (scenarios[i].races)
			n += wrong(&scenarios[i]);
	assert_int_equal(n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_ordered_is_no_race),
		cmocka_unit_test(what_is_not_ordered_is_a_race),
	};

	if (!WITH_TSAN)
		return 77; /* there is nobody to report */
	return cmocka_run_group_tests_name("race", tests, NULL, NULL);
}
