/* Litmus tests of what is no channel: contexts, timers, locks, groups. */
#include "stress/litmus/litmus.h"

#define A 0
#define B 1
#define C 2

static void idle(void)
{
	for (uint64_t n = weft_rand() % 16; n > 0; n--)
		weft_relax();
}

/* --- contexts --- */

static void make_ctx(struct litmus_state *s)
{
	MUST(weft_ctx_with_cancel(&s->ctx, NULL), 0);
}

static void end_ctx(struct litmus_state *s)
{
	weft_ctx_unref(s->ctx);
}

static void a_cancels(struct litmus_state *s)
{
	MUST(weft_ctx_cancel(s->ctx, -EIO), 0);
	s->result[A] = weft_ctx_cause(s->ctx);
}

static void b_cancels(struct litmus_state *s)
{
	MUST(weft_ctx_cancel(s->ctx, -EINTR), 0);
	s->result[B] = weft_ctx_cause(s->ctx);
}

static uint32_t causes(struct litmus_state *s)
{
	return OUTCOME(RESULT(s->result[A]), RESULT(s->result[B]),
	               RESULT(weft_ctx_cause(s->ctx)));
}

static void is_called(void *arg)
{
	struct litmus_state *s = arg;

	s->data[0]++;
}

static void make_func(struct litmus_state *s)
{
	make_ctx(s);
	MUST(weft_ctx_after(s->ctx, &s->func, is_called, s), 0);
}

static void b_takes_the_function_back(struct litmus_state *s)
{
	s->result[B] = weft_ctx_after_stop(&s->func);
}

static uint32_t taken_back_or_called(struct litmus_state *s)
{
	return OUTCOME(s->result[B], s->data[0], 0);
}

/* --- timers --- */

static void make_timer(struct litmus_state *s)
{
	MUST(weft_timer_new(&s->timer), 0);
}

static void end_timer(struct litmus_state *s)
{
	weft_timer_free(s->timer);
}

static int take_fire(struct litmus_state *s)
{
	int64_t fire;

	return weft_chan_try_recv(weft_timer_chan(s->timer), &fire);
}

static void a_arms_and_stops(struct litmus_state *s)
{
	int64_t at = weft_deadline_in((int64_t)(weft_rand() % 20000));

	MUST(weft_timer_reset(s->timer, at, NULL), 0);
	for (uint64_t n = weft_rand() % 400; n > 0; n--)
		weft_relax();
	s->tag[A] = weft_timer_stop(s->timer);
	s->result[A] = take_fire(s);
}

static void b_takes_the_fire(struct litmus_state *s)
{
	for (int i = 0; i < 8 && (s->result[B] = take_fire(s)) != 0; i++)
		idle();
}

static uint32_t stopped_or_fired(struct litmus_state *s)
{
	return OUTCOME(s->tag[A], RESULT(s->result[B]), RESULT(s->result[A]));
}

/* --- locks and groups --- */

static void make_lock(struct litmus_state *s)
{
	weft_lock_init(&s->lock);
}

static void locks_and_adds(struct litmus_state *s)
{
	weft_lock_acquire(&s->lock);
	s->data[0]++;
	weft_lock_release(&s->lock);
}

static uint32_t sum(struct litmus_state *s)
{
	return OUTCOME(s->data[0], s->data[1], 0);
}

static void make_wg(struct litmus_state *s)
{
	weft_waitgroup_init(&s->wg);
	MUST(weft_waitgroup_add(&s->wg, 2), 0);
}

static void a_is_done(struct litmus_state *s)
{
	s->data[0] = 1;
	MUST(weft_waitgroup_done(&s->wg), 0);
}

static void b_is_done(struct litmus_state *s)
{
	s->data[1] = 1;
	MUST(weft_waitgroup_done(&s->wg), 0);
}

static void c_waits(struct litmus_state *s)
{
	MUST(weft_waitgroup_wait(&s->wg, WEFT_FOREVER), 0);
	s->tag[C] = (uint32_t)(s->data[0] + s->data[1]);
}

static uint32_t seen_by_c(struct litmus_state *s)
{
	return OUTCOME(s->tag[C], 0, 0);
}

static void make_once(struct litmus_state *s)
{
	weft_once_init(&s->once);
}

static int once_fn(void *arg)
{
	struct litmus_state *s = arg;

	return (int)++s->data[0];
}

static void a_does_once(struct litmus_state *s)
{
	MUST(weft_once_do(&s->once, once_fn, s, &s->result[A], WEFT_FOREVER),
	     0);
}

static void b_does_once(struct litmus_state *s)
{
	MUST(weft_once_do(&s->once, once_fn, s, &s->result[B], WEFT_FOREVER),
	     0);
}

static uint32_t once_seen(struct litmus_state *s)
{
	return OUTCOME(s->result[A], s->result[B], s->data[0]);
}

const struct litmus litmus_rest[] = {
	{ .name = "two_cancels",
	  .what = "the first cause stands, for all that look",
	  .actors = 2,
	  .make = make_ctx,
	  .act = { a_cancels, b_cancels },
	  .judge = causes,
	  .end = end_ctx,
	  .outcome = { { OUTCOME(EIO, EIO, EIO), LITMUS_REQUIRED,
	                 "the first's" },
	               { OUTCOME(EINTR, EINTR, EINTR), LITMUS_REQUIRED,
	                 "the second's" } } },
	{ .name = "cancel_against_after_stop",
	  .what = "a function is called, or taken back",
	  .actors = 2,
	  .make = make_func,
	  .act = { a_cancels, b_takes_the_function_back },
	  .judge = taken_back_or_called,
	  .end = end_ctx,
	  .outcome = { { OUTCOME(1, 0, 0), LITMUS_REQUIRED, "taken back" },
	               { OUTCOME(0, 1, 0), LITMUS_REQUIRED, "called" },
	               { OUTCOME(1, 1, 0), LITMUS_FORBID, "both" },
	               { OUTCOME(0, 0, 0), LITMUS_FORBID, "neither" } } },
	{ .name = "timer_stop_against_fire",
	  .what = "a fire is received or prevented, and none comes after a "
	          "stop",
	  .actors = 2,
	  .make = make_timer,
	  .act = { a_arms_and_stops, b_takes_the_fire },
	  .judge = stopped_or_fired,
	  .end = end_timer,
	  .outcome = { { OUTCOME(1, EAGAIN, EAGAIN), LITMUS_REQUIRED,
	                 "prevented" },
	               { OUTCOME(0, 0, EAGAIN), LITMUS_ACCEPT,
	                 "received before the stop" },
	               { OUTCOME(1, 0, EAGAIN), LITMUS_FORBID,
	                 "received and prevented" },
	               { OUTCOME(0, EAGAIN, EAGAIN), LITMUS_FORBID,
	                 "neither received nor prevented" },
	               { OUTCOME(0, EAGAIN, 0), LITMUS_FORBID,
	                 "received after the stop" },
	               { OUTCOME(1, EAGAIN, 0), LITMUS_FORBID,
	                 "prevented, and received after the stop" } } },
	{ .name = "unlock_hands_over",
	  .what = "what was written under a lock is seen under it",
	  .actors = 2,
	  .make = make_lock,
	  .act = { locks_and_adds, locks_and_adds },
	  .judge = sum,
	  .outcome = { { OUTCOME(2, 0, 0), LITMUS_REQUIRED,
	                 "both are counted" },
	               { OUTCOME(1, 0, 0), LITMUS_FORBID, "one is lost" } } },
	{ .name = "waitgroup_sees_all",
	  .what = "what was written before each done is seen after the wait",
	  .actors = 3,
	  .make = make_wg,
	  .act = { a_is_done, b_is_done, c_waits },
	  .judge = seen_by_c,
	  .outcome = { { OUTCOME(2, 0, 0), LITMUS_REQUIRED, "all" },
	               { OUTCOME(1, 0, 0), LITMUS_FORBID, "one only" },
	               { OUTCOME(0, 0, 0), LITMUS_FORBID, "nothing" } } },
	{ .name = "once_is_once",
	  .what = "a function runs once, and both see what it returned",
	  .actors = 2,
	  .make = make_once,
	  .act = { a_does_once, b_does_once },
	  .judge = once_seen,
	  .outcome = { { OUTCOME(1, 1, 1), LITMUS_REQUIRED, "once" } } },
	{ .name = NULL },
};
