/*
 * The life-cycle suite finds what it is there to find: a small component with
 * one fault at a time, and for each fault the check that must fail.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weft/chan_impl.h>

#include "common/crew.h"
#include "common/ending.h"
#include "testing/life.h"
#include "testing/testing.h"

enum fault {
	NONE,
	STOP_RELEASES_NOBODY,
	SECOND_STOP_IS_REFUSED,
	FAILURE_IS_A_STOP,
	LAST_REASON_STAYS,
	EPIPE_STAYS_EPIPE,
	FAILS_WITHOUT_ERROR,
	CLOSE_DROPS,
	CLOSE_WAKES_NOBODY,
	NEVER_TOO_LATE,
	NO_CONTEXT,
	DEADLINE_IS_A_CANCEL,
	ENDED_CONTEXT_IGNORED,
	CONTEXT_NOT_HELD,
	CONTEXT_NOT_LEFT,
	LATE_BY_ONE,
	NOW_WAITS,
	DROPS_NOTHING,
	LEAKS_WITHOUT_MEMORY,
	LEAKS_WITHOUT_THREADS,
	LOSES_WITHOUT_MEMORY,
	TAKES_NULL,
	TELLS_NULL,
	LOSES_WHAT_IS_IN_HAND,
	FOREVER_ENDS,
	FAULTS,
};

static enum fault fault;

/* Elements go through one task, from one channel into another. */
struct toy {
	struct weft_ending end;
	struct weft_crew crew;
	struct weft_crew_member member;
	struct weft_chan *in, *out;
	_Atomic bool through, freed, stopped;
};

/* --- the end --- */

static bool too_late(void *arg)
{
	struct toy *t = arg;

	if (fault == NEVER_TOO_LATE)
		return false;
	return weft_load_acquire(&t->through) ||
	       (weft_crew_has_ended(&t->crew) && weft_chan_len(t->out) == 0);
}

static void release(void *arg)
{
	struct toy *t = arg;

	CHECK(!weft_load_relaxed(&t->freed));
	if (fault == STOP_RELEASES_NOBODY)
		return;
	weft_chan_close(t->in);
	weft_chan_close(t->out);
}

static const struct weft_ending_ops ending_ops = { too_late, release };

/* --- its task --- */

/* (volatile: the compiler may leave out a pair of calls that does nothing.) */
static bool memory_is_refused(void)
{
	void *volatile some = malloc(1);
	bool refused = !some;

	free(some);
	return refused;
}

static int work(struct weft_crew_member *m)
{
	struct toy *t =
	        (struct toy *)((char *)m - offsetof(struct toy, member));
	uint64_t item;

	while (!weft_chan_recv(t->in, &item, WEFT_FOREVER)) {
		if (fault == LOSES_WITHOUT_MEMORY && memory_is_refused())
			continue;
		if (weft_ending_is_set(&t->end) ||
		    weft_chan_send(t->out, &item, WEFT_FOREVER)) {
			if (fault != LOSES_WHAT_IS_IN_HAND)
				life_drop(&item, NULL);
			break;
		}
	}
	return 0;
}

static void last(struct weft_crew *c)
{
	struct toy *t = (struct toy *)((char *)c - offsetof(struct toy, crew));

	weft_chan_close(t->out);
}

static const struct weft_crew_ops crew_ops = { .work = work, .last = last };

/* --- making --- */

/* Not on the heap: what is called after the end is to be noticed. */
static struct toy toys[2];
static unsigned made;

static void watch(struct toy *t, struct weft_ctx *ctx)
{
	if (fault == NO_CONTEXT ||
	    (fault == ENDED_CONTEXT_IGNORED && weft_ctx_err(ctx)))
		return;
	CHECK_EQ(weft_ending_watch(&t->end, ctx), 0);
	if (fault == CONTEXT_NOT_HELD && ctx)
		weft_ctx_unref(ctx);
}

static int chan_new(struct weft_chan **out, const char *impl, size_t cap,
                    void (*drop)(void *elem, void *arg))
{
	const struct weft_chan_opts opts = { .drop = drop };

	return weft_chan_new(out, weft_chan_impl_find(impl), cap,
	                     sizeof(uint64_t), &opts);
}

static int toy_new(struct toy *t)
{
	struct weft_task_opts task = { .name = "toy" };
	int err;

	*t = (struct toy){ .in = NULL };
	weft_ending_init(&t->end, &ending_ops, t);
	err = chan_new(&t->in, "handoff", 3, life_drop);
	if (err)
		return err;
	err = chan_new(&t->out, "ring", 2,
	               fault == DROPS_NOTHING ? NULL : life_drop);
	if (err && fault != LEAKS_WITHOUT_MEMORY)
		weft_chan_unref(t->in);
	if (err)
		return err;
	err = weft_crew_start(&t->crew, &crew_ops, &t->member, 1,
	                      sizeof(t->member), &task);
	if (!err)
		return 0;
	if (err == -ENOMEM || fault != LEAKS_WITHOUT_THREADS)
		weft_chan_unref(t->in);
	weft_chan_unref(t->out);
	return err;
}

static void *toy_make(const struct life_opts *o)
{
	struct toy *t = &toys[made++ % 2];

	LIFE_NEW(toy_new(t));
	watch(t, o->ctx);
	return t;
}

static void toy_free(void *arg)
{
	struct toy *t = arg;

	if (!t)
		return;
	if (fault == CONTEXT_NOT_LEFT)
		weft_ctx_unref(t->end.ctx);
	else
		weft_ending_unwatch(&t->end);
	weft_chan_close(t->in);
	weft_chan_close(t->out);
	weft_crew_join(&t->crew);
	weft_chan_unref(t->in);
	weft_chan_unref(t->out);
	weft_store_relaxed(&t->freed, true);
}

/* --- calls --- */

static int64_t until(int64_t deadline_ns)
{
	if (fault == NOW_WAITS && deadline_ns == WEFT_NOW)
		return WEFT_FOREVER;
	if (fault == FOREVER_ENDS && deadline_ns == WEFT_FOREVER)
		return weft_deadline_in(50 * WEFT_MS);
	return deadline_ns + (fault == LATE_BY_ONE && deadline_ns > WEFT_NOW &&
	                      deadline_ns < WEFT_FOREVER);
}

/* The reason, as callers are told it. */
static int of(const struct toy *t, int err)
{
	err = weft_ending_of(&t->end, err);
	if (fault == DEADLINE_IS_A_CANCEL && weft_ending_is_set(&t->end) &&
	    err == -ETIMEDOUT)
		err = -ECANCELED;
	return err;
}

static int toy_in(void *arg, uint64_t item, int64_t deadline_ns)
{
	struct toy *t = arg;

	if (!t)
		return -EINVAL;
	return of(t, weft_chan_send(t->in, &item, until(deadline_ns)));
}

static int toy_out(void *arg, uint64_t *item, int64_t deadline_ns)
{
	struct toy *t = arg;
	int err;

	if (!t)
		return -EINVAL;
	err = weft_ending_why(&t->end);
	if (!err)
		err = weft_chan_recv(t->out, item, until(deadline_ns));
	else
		err = -EPIPE;
	err = of(t, err);
	if (err == -EPIPE)
		weft_store_release(&t->through, true);
	return err;
}

static int toy_close(void *arg)
{
	struct toy *t = arg;

	if (!t)
		return -EINVAL;
	if (fault == CLOSE_WAKES_NOBODY && weft_chan_len(t->in) == 0)
		return 0;
	if (fault == CLOSE_DROPS)
		weft_chan_close(t->out);
	return weft_chan_close(t->in);
}

static int toy_stop(void *arg)
{
	struct toy *t = arg;

	if (!t)
		return -EINVAL;
	if (fault == SECOND_STOP_IS_REFUSED &&
	    weft_xchg_acq_rel(&t->stopped, true))
		return -EPIPE;
	if (fault == LAST_REASON_STAYS)
		weft_store_release(&t->end.why, 0);
	weft_ending_stop(&t->end, -ECANCELED);
	return 0;
}

static int toy_fail(void *arg, int err)
{
	struct toy *t = arg;

	if (!t || (err >= 0 && fault != FAILS_WITHOUT_ERROR))
		return fault == TAKES_NULL ? 0 : -EINVAL;
	if (err >= 0)
		return 0;
	if (fault == FAILURE_IS_A_STOP)
		err = -ECANCELED;
	if (fault == EPIPE_STAYS_EPIPE)
		weft_ending_stop(&t->end, err);
	else
		weft_ending_fail(&t->end, err);
	return 0;
}

static int toy_join(void *arg, int64_t deadline_ns)
{
	struct toy *t = arg;
	int err;

	if (!t)
		return -EINVAL;
	err = weft_crew_wait(&t->crew, until(deadline_ns));
	return err ? err : of(t, weft_ending_why(&t->end));
}

static int toy_stats(const void *t, void *out)
{
	return t && (out || fault == TELLS_NULL) ? 0 : -EINVAL;
}

static const struct life life_toy[] = {
	{ .name = "toy",
	  .make = toy_make,
	  .in = toy_in,
	  .out = toy_out,
	  .close = toy_close,
	  .stop = toy_stop,
	  .fail = toy_fail,
	  .join = toy_join,
	  .stats = toy_stats,
	  .free = toy_free,
	  .senders = 9,
	  .receivers = 9 },
	{ .name = NULL },
};

/* --- the faults --- */

static const struct {
	enum fault fault;
	const char *check;
} rows[] = {
	{ STOP_RELEASES_NOBODY, "a_stop_releases_whoever_waits" },
	{ SECOND_STOP_IS_REFUSED, "a_second_stop_changes_nothing" },
	{ FAILURE_IS_A_STOP, "a_failure_releases_whoever_waits" },
	{ LAST_REASON_STAYS, "the_first_reason_stays" },
	{ EPIPE_STAYS_EPIPE, "errors_of_calls_become_eio" },
	{ FAILS_WITHOUT_ERROR, "what_is_no_error_is_refused" },
	{ CLOSE_DROPS, "a_close_lets_out_what_is_inside" },
	{ CLOSE_WAKES_NOBODY, "a_close_releases_whoever_waits" },
	{ NEVER_TOO_LATE, "nothing_changes_an_end_in_order" },
	{ NO_CONTEXT, "a_cancelled_context_stops_it" },
	{ DEADLINE_IS_A_CANCEL, "the_deadline_of_its_context_stops_it" },
	{ ENDED_CONTEXT_IGNORED, "a_context_that_has_ended_stops_it_at_once" },
	{ CONTEXT_NOT_HELD, "it_holds_on_to_its_context" },
	{ CONTEXT_NOT_LEFT, "a_context_may_outlive_it" },
	{ LATE_BY_ONE, "deadlines_are_kept_exactly" },
	{ NOW_WAITS, "a_call_past_its_deadline_does_not_wait" },
	{ DROPS_NOTHING, "what_is_inside_is_dropped_once" },
	{ LEAKS_WITHOUT_MEMORY, "none_is_made_without_memory" },
	{ LEAKS_WITHOUT_THREADS, "none_is_made_without_threads" },
	{ LOSES_WITHOUT_MEMORY, "nothing_is_lost_for_want_of_memory" },
	{ TAKES_NULL, "null_is_refused" },
	{ TELLS_NULL, "figures_are_told_or_refused" },
	{ LOSES_WHAT_IS_IN_HAND, "it_may_be_stopped_at_any_moment" },
	{ FOREVER_ENDS, "a_program_that_sleeps_for_good_is_told" },
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* A fault that makes somebody wait for ever is found when all are asleep, and
 * not by the clock. */
#define LIMIT_SECONDS 120

enum outcome { PASSED, FAILED, HUNG };

/* Run that check in a process of its own. */
static enum outcome run(enum fault f, const char *check)
{
	int status;
	pid_t child;

	fflush(NULL);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		CHECK(freopen("/dev/null", "w", stdout) != NULL);
		CHECK(freopen("/dev/null", "w", stderr) != NULL);
		signal(SIGALRM, SIG_DFL);
		alarm(LIMIT_SECONDS);
		fault = f;
		_exit(life_run_only(life_toy, check) != 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		return HUNG;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? PASSED : FAILED;
}

static void each_check_finds_its_fault(void **state)
{
	int missed = 0;

	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		enum outcome o = run(rows[i].fault, rows[i].check);

		if (o != FAILED) {
			missed++;
			fprintf(stderr, "fault %d: %s ended as %d\n",
			        (int)rows[i].fault, rows[i].check, (int)o);
		}
	}
	assert_int_equal(missed, 0);
}

static void every_fault_and_every_check_has_its_row(void **state)
{
	(void)state;
	assert_int_equal(ROWS, FAULTS - 1);
	assert_int_equal(ROWS, life_checks());
	for (size_t i = 0; i < ROWS; i++)
		assert_int_equal(run(NONE, rows[i].check), PASSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_fault_and_every_check_has_its_row),
		cmocka_unit_test(each_check_finds_its_fault),
	};

	return cmocka_run_group_tests_name("life", tests, NULL, NULL);
}
