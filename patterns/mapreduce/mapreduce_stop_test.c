/*
 * Tests of how the mapreduce ends, and of folds. The numbers are those of the
 * requirements:
 *
 *	E6  map fails: its error for everyone, and the source comes to its end
 *	E7  a callback does not return: one reason, nobody waits, nothing leaks
 *	E8  a context ends
 *	E10 values are folded as they are made: a slow input does not hold up
 *	    those behind it; in order it does
 *	E11 an emit after the end does nothing
 */
#include <errno.h>
#include <pthread.h>

#include "mapreduce_testing.h"
#include "testing/stop.h"

/* Inputs are numbers, their own values. */
static struct weft_mapreduce_opts numbers_opts(unsigned workers)
{
	return (struct weft_mapreduce_opts){ .cap = 4,
		                             .elem_size = sizeof(uint64_t),
		                             .value_size = sizeof(uint64_t),
		                             .workers = workers,
		                             .sorted = true };
}

/* To be folded. */
static struct weft_mapreduce_opts
fold_opts(unsigned workers,
          int (*map)(struct weft_mapreduce_worker *to, const void *elem,
                     void *arg),
          int (*fold)(void *acc, const void *value, void *arg))
{
	struct weft_mapreduce_opts o = numbers_opts(workers);

	o.sorted = false;
	o.map = map;
	o.fold = fold;
	return o;
}

static int map_number(struct weft_mapreduce_worker *to, const void *elem,
                      void *arg)
{
	struct weft_slice key = { elem, sizeof(uint64_t) };

	(void)arg;
	return weft_mapreduce_emit(to, key, elem);
}

static void send(struct weft_mapreduce *m, uint64_t n)
{
	CHECK_EQ(weft_mapreduce_send(m, &n, WEFT_FOREVER), 0);
}

/* --- E6: errors --- */

static int fail_at_1000(struct weft_mapreduce_worker *to, const void *elem,
                        void *arg)
{
	return *(const uint64_t *)elem == 1000 ? -EXDEV
	                                       : map_number(to, elem, arg);
}

static int map_twice(struct weft_mapreduce_worker *to, const void *elem,
                     void *arg)
{
	CHECK_EQ(map_number(to, elem, arg), 0);
	return map_number(to, elem, arg);
}

static int return_arg(struct weft_slice key, const void *values, size_t n,
                      void *out, void *arg)
{
	(void)key;
	(void)values;
	(void)n;
	(void)out;
	return *(const int *)arg;
}

static int fold_arg(void *acc, const void *value, void *arg)
{
	(void)acc;
	(void)value;
	return *(const int *)arg;
}

/* Numbers until it fails or there are enough; then everyone gets the error, and
 * the source comes to its end. */
TEST(E6_an_error_of_a_callback_ends_the_source_and_everyone_else)
{
	static const struct {
		struct weft_mapreduce_opts o;
		int returned, seen;
	} cases[] = {
		{ { .map = fail_at_1000, .reduce = sum }, 0, -EXDEV },
		{ { .map = map_number, .reduce = return_arg }, -EXDEV, -EXDEV },
		{ { .map = map_number, .reduce = return_arg }, -EAGAIN, -EIO },
		{ { .map = map_number, .reduce = return_arg }, -EPIPE, -EIO },
		{ { .map = map_number, .reduce = return_arg }, 2, -EINVAL },
		{ { .map = map_number, .fold = fold_arg }, -EXDEV, -EXDEV },
		{ { .map = map_number, .fold = fold_arg }, 1, -EINVAL },
		/* One value too many. */
		{ { .map = map_twice, .fold = fold_arg }, 0, -EOVERFLOW },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct weft_mapreduce_opts o =
		        fold_opts(2, cases[i].o.map, cases[i].o.fold);
		int returned = cases[i].returned, err = 0;
		struct weft_mapreduce *m;
		uint64_t n = 0;

		o.reduce = cases[i].o.reduce;
		o.arg = &returned;
		m = make(&o);
		for (; n < 1200 && !err; n += !err)
			err = weft_mapreduce_send(m, &n, WEFT_FOREVER);
		CHECK(!err || err == cases[i].seen);
		CHECK(cases[i].o.map != fail_at_1000 || n >= 1000);
		(void)weft_mapreduce_close(m);
		expect_end(m, cases[i].seen);
		CHECK_EQ(weft_mapreduce_join(m, WEFT_FOREVER), cases[i].seen);
		CHECK_EQ(weft_mapreduce_send(m, &n, WEFT_FOREVER),
		         cases[i].seen);
		CHECK_EQ(weft_mapreduce_close(m), -EPIPE);
		weft_mapreduce_free(m);
	}
	return 0;
}

TEST(E6_a_split_that_fails_says_what_is_left)
{
	struct weft_mapreduce_opts o = words_opts(1);
	struct weft_slice text = slice("aa bb cc");
	struct weft_mapreduce *m = make(&o);

	CHECK_EQ(weft_mapreduce_stop(m), 0);
	CHECK_EQ(weft_mapreduce_split(m, &text, 1, NULL, WEFT_FOREVER),
	         -ECANCELED);
	CHECK_EQ(text.bytes, 8u);
	weft_mapreduce_free(m);
	return 0;
}

/* --- E7: callbacks that do not return --- */

enum where { IN_MAP, IN_COMBINE, IN_REDUCE, IN_FOLD, WHERES };
enum how { BY_EXIT, BY_EXIT_0, BY_PTHREAD_EXIT, HOWS };

struct death {
	enum where where;
	enum how how;
};

static void die_in(const struct death *d, enum where where)
{
	if (d->where != where)
		return;
	if (d->how == BY_PTHREAD_EXIT)
		pthread_exit(NULL);
	weft_task_exit(d->how == BY_EXIT ? -EXDEV : 0);
}

/* All have the same key, so that there is something to combine. */
static int map_or_die(struct weft_mapreduce_worker *to, const void *elem,
                      void *arg)
{
	int err = weft_mapreduce_emit(to, slice("key"), elem);

	if (*(const uint64_t *)elem == 20)
		die_in(arg, IN_MAP);
	return err;
}

static void add_or_die(void *into, const void *value, void *arg)
{
	die_in(arg, IN_COMBINE);
	add(into, value, NULL);
}

static int sum_or_die(struct weft_slice key, const void *values, size_t n,
                      void *out, void *arg)
{
	die_in(arg, IN_REDUCE);
	return sum(key, values, n, out, NULL);
}

static int fold_or_die(void *acc, const void *value, void *arg)
{
	if (*(const uint64_t *)value == 20)
		die_in(arg, IN_FOLD);
	add(acc, value, NULL);
	return 0;
}

/* Under every lock that there is, with workers that want it, too. */
static void die(struct death d, unsigned shuffle)
{
	struct weft_mapreduce_opts o = numbers_opts(3);
	int expected = d.how == BY_EXIT ? -EXDEV : -ECANCELED;
	struct weft_mapreduce *m;
	uint64_t n = 0;

	o.map = map_or_die;
	o.shuffle = (enum weft_mapreduce_shuffle)shuffle;
	o.arg = &d;
	if (d.where == IN_FOLD) {
		o.sorted = false;
		o.fold = fold_or_die;
	} else {
		o.combine = add_or_die;
		o.reduce = sum_or_die;
	}
	m = make(&o);
	while (n < 100 && !weft_mapreduce_send(m, &n, WEFT_FOREVER))
		n++;
	(void)weft_mapreduce_close(m);
	expect_end(m, expected);
	CHECK_EQ(weft_mapreduce_join(m, WEFT_FOREVER), expected);
	weft_mapreduce_free(m);
}

TEST(E7_a_callback_that_does_not_return_fails_it)
{
	for (int where = 0; where < WHERES; where++)
		for (int how = 0; how < HOWS; how++)
			for (unsigned shuffle = 0; shuffle < 3; shuffle++)
				die((struct death){ (enum where)where,
				                    (enum how)how },
				    shuffle);
	return 0;
}

static int fail_by_number(struct weft_mapreduce_worker *to, const void *elem,
                          void *arg)
{
	(void)to;
	(void)arg;
	return -(int)*(const uint64_t *)elem;
}

TEST(E7_the_first_of_several_failures_stays)
{
	struct weft_mapreduce_opts o = numbers_opts(4);
	struct weft_mapreduce *m;
	int first;

	o.map = fail_by_number;
	o.reduce = sum;
	m = make(&o);
	for (uint64_t n = 5; n < 9; n++)
		if (weft_mapreduce_send(m, &n, WEFT_FOREVER))
			break;
	first = weft_mapreduce_join(m, WEFT_FOREVER);
	CHECK(-9 < first && first < -4);
	CHECK_EQ(weft_mapreduce_fail(m, -EXDEV), 0);
	expect_end(m, first);
	weft_mapreduce_free(m);
	return 0;
}

/* --- E8, E11: what comes after the end --- */

struct late {
	struct weft_mapreduce *m;
	struct weft_ctx *ctx;
	int emitted;
	_Atomic bool mapped;
};

static int emit_late(struct weft_mapreduce_worker *to, const void *elem,
                     void *arg)
{
	struct late *l = arg;

	CHECK_EQ(map_number(to, elem, NULL), 0);
	if (l->ctx)
		CHECK_EQ(weft_ctx_cancel(l->ctx, 0), 0);
	else
		CHECK_EQ(weft_mapreduce_fail(l->m, -EXDEV), 0);
	l->emitted = map_number(to, elem, NULL);
	return 0;
}

static void emit_after(bool by_ctx, int expected)
{
	struct weft_mapreduce_opts o = numbers_opts(1);
	struct late l = { .m = NULL };

	if (by_ctx)
		CHECK_EQ(weft_ctx_with_cancel(&l.ctx, NULL), 0);
	o.map = emit_late;
	o.reduce = sum;
	o.arg = &l;
	o.ctx = l.ctx;
	l.m = make(&o);
	send(l.m, 1);
	CHECK_EQ(weft_mapreduce_join(l.m, WEFT_FOREVER), expected);
	CHECK_EQ(l.emitted, expected);
	CHECK_EQ(stats(l.m).emitted, 1u);
	CHECK_EQ(stats(l.m).held, 1u);
	weft_mapreduce_free(l.m);
	weft_ctx_unref(l.ctx);
}

TEST(E11_an_emit_after_the_end_does_nothing)
{
	emit_after(false, -EXDEV);
	return 0;
}

TEST(E8_map_learns_of_the_end_of_the_context)
{
	emit_after(true, -ECANCELED);
	return 0;
}

static int never_ending(struct weft_mapreduce_worker *to, const void *elem,
                        void *arg)
{
	struct late *l = arg;
	int err;

	weft_store_release(&l->mapped, true);
	while (!(err = map_number(to, elem, NULL)))
		weft_yield();
	return err;
}

TEST(E8_a_context_ends_workers_that_are_at_work)
{
	struct weft_mapreduce_opts o = numbers_opts(2);
	struct late l = { .m = NULL };

	CHECK_EQ(weft_ctx_with_cancel(&l.ctx, NULL), 0);
	o.map = never_ending;
	o.combine = add;
	o.reduce = sum;
	o.arg = &l;
	o.ctx = l.ctx;
	l.m = make(&o);
	send(l.m, 1);
	while (!weft_load_acquire(&l.mapped))
		weft_yield();
	CHECK_EQ(weft_ctx_cancel(l.ctx, 0), 0);
	CHECK_EQ(weft_mapreduce_join(l.m, WEFT_FOREVER), -ECANCELED);
	weft_mapreduce_free(l.m);
	weft_ctx_unref(l.ctx);
	return 0;
}

/* --- folds --- */

/* The values in the order in which they were folded. */
struct trace {
	struct weft_chan *gate; /* input 0 waits there */
	uint64_t at[8];
	size_t n;
};

static int map_gated(struct weft_mapreduce_worker *to, const void *elem,
                     void *arg)
{
	struct trace *t = arg;

	if (*(const uint64_t *)elem == 0)
		CHECK_EQ(weft_chan_recv(t->gate, NULL, WEFT_FOREVER), -EPIPE);
	return map_number(to, elem, NULL);
}

static int fold_trace(void *acc, const void *value, void *arg)
{
	struct trace *t = arg;

	CHECK_LT(t->n, sizeof(t->at) / sizeof(t->at[0]));
	t->at[t->n++] = *(const uint64_t *)value;
	add(acc, value, NULL);
	return 0;
}

/* Inputs 0 to 3, the first of which takes until all else has come to rest. */
static void trace(bool unordered, const uint64_t *expected)
{
	struct weft_mapreduce_opts o = fold_opts(2, map_gated, fold_trace);
	struct weft_mapreduce_pair p;
	struct weft_mapreduce *m;
	struct trace t = { .gate = testing_chan("handoff", 0, 0) };

	o.unordered = unordered;
	o.arg = &t;
	m = make(&o);
	for (uint64_t i = 0; i < 4; i++)
		send(m, i);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(t.n, unordered ? 3u : 0u);
	CHECK_EQ(weft_chan_close(t.gate), 0);
	CHECK_EQ(weft_mapreduce_close(m), 0);
	CHECK_EQ(weft_mapreduce_recv(m, &p, WEFT_FOREVER), 0);
	CHECK_EQ(p.key.bytes, 0u);
	CHECK_EQ(*(const uint64_t *)p.value, 6u);
	CHECK_EQ(memcmp(t.at, expected, 4 * sizeof(*expected)), 0);
	expect_end(m, -EPIPE);
	weft_mapreduce_free(m);
	weft_chan_unref(t.gate);
}

TEST_MANUAL(E10_a_slow_input_is_folded_when_it_is_done)
{
	trace(true, (const uint64_t[]){ 1, 2, 3, 0 });
	return 0;
}

TEST_MANUAL(E10_in_order_those_behind_it_wait)
{
	trace(false, (const uint64_t[]){ 0, 1, 2, 3 });
	return 0;
}

/* Some have no value, and some take their time. */
static int map_some(struct weft_mapreduce_worker *to, const void *elem,
                    void *arg)
{
	if (weft_rand() % 8 == 0)
		weft_yield();
	return *(const uint64_t *)elem % 5 ? map_number(to, elem, arg) : 0;
}

/* Ascending, and so in order; one at a time. */
static int fold_ascending(void *acc, const void *value, void *arg)
{
	uint64_t *last = acc;

	(void)arg;
	CHECK_LT(*last, *(const uint64_t *)value);
	*last = *(const uint64_t *)value;
	return 0;
}

TEST(values_are_folded_in_the_order_of_the_inputs)
{
	for (unsigned workers = 1; workers < 5; workers++)
		for (size_t window = 0; window < 3; window++) {
			struct weft_mapreduce_opts o =
			        fold_opts(workers, map_some, fold_ascending);
			struct weft_mapreduce_pair p;
			struct weft_mapreduce *m;
			uint64_t n = TESTING_SLOW ? 500 : 3000;

			o.window = window;
			m = make(&o);
			for (uint64_t i = 0; i <= n + 1; i++)
				send(m, i);
			CHECK_EQ(weft_mapreduce_close(m), 0);
			CHECK_EQ(weft_mapreduce_recv(m, &p, WEFT_FOREVER), 0);
			CHECK_EQ(*(const uint64_t *)p.value, n + 1);
			CHECK_EQ(stats(m).inputs, n + 2);
			CHECK_EQ(stats(m).emitted, n + 1 - n / 5);
			CHECK_EQ(stats(m).results, 1u);
			weft_mapreduce_free(m);
		}
	return 0;
}

TEST(a_fold_of_nothing_has_a_result_of_zeros)
{
	struct weft_mapreduce_opts o = fold_opts(2, map_number, fold_ascending);
	struct weft_mapreduce *m = make(&o);
	struct weft_mapreduce_pair p;

	CHECK_EQ(weft_mapreduce_close(m), 0);
	CHECK_EQ(weft_mapreduce_recv(m, &p, WEFT_FOREVER), 0);
	CHECK_EQ(*(const uint64_t *)p.value, 0u);
	expect_end(m, -EPIPE);
	weft_mapreduce_free(m);
	return 0;
}

/* --- an input that comes together with the end --- */

static const struct weft_chan_impl *base;
static struct weft_mapreduce *to_stop;
static _Atomic int dropped;

static int recv_and_stop(void *state, void *elem)
{
	int err = base->try_recv(state, elem);

	if (!err)
		CHECK_EQ(weft_mapreduce_stop(to_stop), 0);
	return err;
}

static void drop_and_exit(void *elem, void *arg)
{
	(void)elem;
	(void)arg;
	weft_fetch_add_relaxed(&dropped, 1);
	weft_task_exit(0);
}

/* It is dropped outside of locks: the other worker, which waits for its turn to
 * take, comes to its end although this one's task has gone. */
TEST(a_drop_may_end_its_task)
{
	struct weft_chan_impl impl;

	base = weft_chan_impl_find("list");
	impl = *base;
	impl.can &= ~(uint64_t)WEFT_CAN_BATCH;
	impl.try_recv = recv_and_stop;
	for (int i = 0; i < 3; i++) {
		struct weft_mapreduce_opts o =
		        fold_opts(2, map_number, i < 2 ? fold_ascending : NULL);

		o.impl = &impl;
		o.reduce = i < 2 ? NULL : sum;
		o.unordered = i == 1;
		o.drop_in = drop_and_exit;
		weft_store_relaxed(&dropped, 0);
		to_stop = make(&o);
		send(to_stop, 1);
		CHECK_EQ(weft_mapreduce_join(to_stop,
		                             weft_deadline_in(10 * WEFT_SEC)),
		         -ECANCELED);
		CHECK_EQ(weft_load_relaxed(&dropped), 1);
		weft_mapreduce_free(to_stop);
	}
	return 0;
}

/* --- at any moment: nothing is lost, and nothing is dropped twice --- */

/* Each value is on the heap, so that what is lost or freed twice is seen. */
struct boxes {
	struct weft_mapreduce *m;
	unsigned kind; /* of what is made of them */
	_Atomic unsigned senders;
};

#define SENDERS 2u
#define RECEIVING 2u
#define KINDS 8u

static uint64_t *box_of(const void *at)
{
	return *(uint64_t *const *)at;
}

static void drop_box(void *at, void *arg)
{
	(void)arg;
	free(box_of(at));
}

static int map_box(struct weft_mapreduce_worker *to, const void *elem,
                   void *arg)
{
	uint64_t n = *box_of(elem) % 50;
	struct weft_slice key = { (const char *)&n, sizeof(n) };
	int err = weft_mapreduce_emit(to, key, elem);

	(void)arg;
	if (err)
		free(box_of(elem));
	return err;
}

static void merge_boxes(void *into, const void *value, void *arg)
{
	(void)arg;
	*box_of(into) += *box_of(value);
	free(box_of(value));
}

static int reduce_boxes(struct weft_slice key, const void *values, size_t n,
                        void *out, void *arg)
{
	uint64_t *const *box = values;

	(void)key;
	(void)arg;
	for (size_t i = 1; i < n; i++)
		free(box[i]);
	memcpy(out, values, sizeof(*box));
	return WEFT_EMIT;
}

static int fold_boxes(void *acc, const void *value, void *arg)
{
	(void)arg;
	free(box_of(acc));
	memcpy(acc, value, sizeof(uint64_t *));
	return 0;
}

static void drop_result(void *at, void *arg)
{
	(void)arg;
	free(box_of(at)); /* NULL of a fold of nothing */
}

static void *setup_boxes(void *arg)
{
	_Atomic unsigned *round = arg;
	struct boxes *b = calloc(1, sizeof(*b));
	struct weft_mapreduce_opts o = numbers_opts(2);

	CHECK(b != NULL);
	b->kind = weft_fetch_add_relaxed(round, 1u) % KINDS;
	weft_store_relaxed(&b->senders, SENDERS);
	o.elem_size = o.value_size = sizeof(uint64_t *);
	o.map = map_box;
	o.drop_in = drop_box;
	o.drop_value = drop_box;
	o.drop_out = drop_result;
	o.partitions = 3;
	o.sorted = b->kind % 2;
	if (b->kind >= 6) {
		o.sorted = false;
		o.fold = fold_boxes;
		o.unordered = b->kind % 2;
	} else {
		o.shuffle = (enum weft_mapreduce_shuffle)(b->kind / 2);
		o.combine = b->kind % 3 ? merge_boxes : NULL;
		o.reduce = b->kind == 4 ? NULL : reduce_boxes;
	}
	b->m = make(&o);
	return b;
}

static void send_boxes(struct boxes *b)
{
	for (unsigned i = 0; i < 60; i++) {
		uint64_t *box = malloc(sizeof(*box));

		CHECK(box != NULL);
		*box = weft_rand();
		if (!weft_mapreduce_send(b->m, &box, WEFT_FOREVER))
			continue;
		free(box);
		return;
	}
	if (weft_fetch_sub_acq_rel(&b->senders, 1u) == 1)
		(void)weft_mapreduce_close(b->m);
}

static void use_boxes(void *thing, unsigned id)
{
	struct boxes *b = thing;
	struct weft_mapreduce_pair p;

	if (id < SENDERS) {
		send_boxes(b);
		return;
	}
	while (!weft_mapreduce_recv(b->m, &p, WEFT_FOREVER))
		free(box_of(p.value));
}

static void stop_boxes(void *thing)
{
	struct boxes *b = thing;

	CHECK_EQ(weft_mapreduce_stop(b->m), 0);
}

static void free_boxes(void *thing)
{
	struct boxes *b = thing;

	weft_mapreduce_free(b->m);
	free(b);
}

TEST(a_stop_at_any_moment_releases_everybody_and_everything)
{
	static _Atomic unsigned round;
	const struct testing_stop what = { .setup = setup_boxes,
		                           .go = use_boxes,
		                           .tasks = SENDERS + RECEIVING,
		                           .stop = stop_boxes,
		                           .end = free_boxes,
		                           .arg = &round };

	testing_stop_often(&what);
	return 0;
}

/* Without a stop: what nobody receives is dropped, too. */
TEST(what_is_left_at_the_end_is_dropped)
{
	_Atomic unsigned round = 0;

	for (unsigned i = 0; i < 2 * KINDS; i++) {
		struct boxes *b = setup_boxes(&round);
		struct weft_mapreduce_pair p;

		weft_store_relaxed(&b->senders, 1u);
		send_boxes(b);
		if (i >= KINDS) {
			CHECK_EQ(weft_mapreduce_recv(b->m, &p, WEFT_FOREVER),
			         0);
			free(box_of(p.value));
		}
		CHECK_EQ(weft_mapreduce_join(b->m, WEFT_FOREVER), 0);
		free_boxes(b);
	}
	return 0;
}
