/* What the tests of the event loop share. Events are numbers. */
#ifndef EVENT_LOOP_TESTING_H
#define EVENT_LOOP_TESTING_H

#include <string.h>

#include <weft/atomic.h>

#include "loop.h"
#include "testing/testing.h"

/* A test of both kinds, each in a run of its own. */
#define TEST_KINDS_ON(clock, name)                                             \
	static void name##_of(enum weft_loop_kind kind);                       \
	TEST_ON(clock, name)                                                   \
	{                                                                      \
		name##_of(WEFT_LOOP_SELECT);                                   \
		name##_of(WEFT_LOOP_QUEUE);                                    \
		return 0;                                                      \
	}                                                                      \
	static void name##_of(enum weft_loop_kind kind)
#define TEST_KINDS(name) TEST_KINDS_ON(WEFT_CLOCK_MANUAL, name)

/* What has been handled, in its order. */
#define HEARD_MAX 4096
struct heard {
	int n, event[HEARD_MAX];
};

static inline void hear(struct heard *h, int event)
{
	CHECK_LT(h->n, HEARD_MAX);
	h->event[h->n++] = event;
}

/* A handler: arg is a struct heard. */
static inline int note(void *arg, void *event)
{
	int number;

	memcpy(&number, event, sizeof(number));
	hear(arg, number);
	return 0;
}

/* For opts.drop: the same. */
static inline void note_drop(void *event, void *arg)
{
	CHECK_EQ(note(arg, event), 0);
}

/* A handler of a timer, and what is posted. */
static inline int nothing(void *arg)
{
	(void)arg;
	return 0;
}

/* Exactly these n, and then it is empty again. */
static inline void check_heard(struct heard *h, int n, const int *events)
{
	CHECK_EQ(h->n, n);
	for (int i = 0; i < n; i++)
		CHECK_EQ(h->event[i], events[i]);
	h->n = 0;
}

#define CHECK_HEARD(h, ...)                                                    \
	check_heard(h, sizeof((const int[]){ __VA_ARGS__ }) / sizeof(int),     \
	            (const int[]){ __VA_ARGS__ })

static inline struct weft_loop *make_with(struct weft_loop_opts opts)
{
	struct weft_loop *l;

	opts.cap = opts.cap ? opts.cap : 16;
	opts.elem_size = sizeof(int);
	CHECK_EQ(weft_loop_new(&l, &opts), 0);
	return l;
}

static inline struct weft_loop *make(enum weft_loop_kind kind)
{
	return make_with((struct weft_loop_opts){ .kind = kind });
}

/* A test of both kinds, with a loop that is made and freed for it. */
#define TEST_LOOPS_ON(clock, name)                                             \
	static void name##_with(struct weft_loop *l);                          \
	TEST_KINDS_ON(clock, name)                                             \
	{                                                                      \
		struct weft_loop *l = make(kind);                              \
                                                                               \
		name##_with(l);                                                \
		weft_loop_free(l);                                             \
	}                                                                      \
	static void name##_with(struct weft_loop *l)
#define TEST_LOOPS(name) TEST_LOOPS_ON(WEFT_CLOCK_MANUAL, name)

static inline struct weft_loop_source *
source(struct weft_loop *l, unsigned prio, weft_loop_event_fn fn, void *arg)
{
	struct weft_loop_source *s;

	CHECK_EQ(weft_loop_source_new(&s, l, prio, fn, arg), 0);
	return s;
}

static inline void send_one(struct weft_loop_source *s, int event)
{
	CHECK_EQ(weft_loop_send(s, &event, WEFT_NOW), 0);
}

static inline void send_all(struct weft_loop_source *s, int from, int to)
{
	for (int i = from; i <= to; i++)
		send_one(s, i);
}

/* As many turns as there is something to do for without a wait. */
static inline int turns(struct weft_loop *l)
{
	int n = 0, err;

	while (!(err = weft_loop_run_once(l, WEFT_NOW)))
		n++;
	CHECK_EQ(err, -ETIMEDOUT);
	return n;
}

static inline struct weft_loop_stats stats(const struct weft_loop *l)
{
	struct weft_loop_stats out;

	CHECK_EQ(weft_loop_stats(l, &out), 0);
	return out;
}

/* A source that always has something: `s` is set once it is made. */
struct busy {
	struct weft_loop_source *s;
	int handled;
};

static inline int send_again(void *arg, void *event)
{
	struct busy *b = arg;

	b->handled++;
	return weft_loop_send(b->s, event, WEFT_NOW);
}

static inline int run_main(void *loop)
{
	return weft_loop_run(loop);
}

#endif
