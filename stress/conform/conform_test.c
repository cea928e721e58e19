/*
 * Tests of the checks themselves: each planted fault is found by the check
 * that is about it, and an honest channel passes them all. A check that cannot
 * fail is no check.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <weft/chan_impl.h>
#include <weft/time.h>

#include "stress/conform/conform.h"
#include "stress/conform/faulty.h"
#include "stress/conform/manner.h"

#if defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#define WITH_TSAN 1
#elif defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#define WITH_TSAN 0
#else
#define SANITIZED 0
#define WITH_TSAN 0
#endif

/* What a hanging check may take. */
#define PATIENCE ((SANITIZED ? 2 : 1) * WEFT_SEC)

/* What one that must come to an end may, on a machine that has other work. */
#define LONG_PATIENCE (20 * PATIENCE)

/* The same as faulty_pairing, but for what it declares of order. */
static struct weft_chan_impl each_in_order, unordered;

/* And the same, but for saying that it blocks the thread. */
static struct weft_chan_impl blocking;

static void declare_less(void)
{
	each_in_order = unordered = faulty_pairing;
	each_in_order.can &= ~(uint64_t)WEFT_CAN_FIFO;
	unordered.can &= ~(uint64_t)(WEFT_CAN_FIFO | WEFT_CAN_PRODUCER_FIFO);
	blocking = faulty_pairing;
	blocking.can |= WEFT_BLOCKS_THREAD;
}

struct planted {
	enum fault fault;
	const struct weft_chan_impl *impl;
	const char *check; /* that must find it */
	enum conform_verdict verdict;
};

static const struct planted planted[] = {
	/* elements */
	{ LOSES_ONE_IN_50, &faulty_pairing,
	  "every_element_arrives_exactly_once", CONFORM_FAIL },
	{ DOUBLES_ONE_IN_50, &faulty_pairing,
	  "every_element_arrives_exactly_once", CONFORM_FAIL },
	{ SWAPS_ONE_IN_20, &faulty_pairing, "each_senders_order_is_kept",
	  CONFORM_FAIL },
	{ SWAPS_ONE_IN_20, &faulty_pairing,
	  "one_sender_reaches_one_receiver_in_order", CONFORM_FAIL },
	{ COPIES_8_BYTES, &faulty_pairing,
	  "elements_of_every_size_arrive_whole", CONFORM_FAIL },
	{ COPIES_8_BYTES, &faulty_pairing,
	  "an_over_aligned_struct_arrives_whole", CONFORM_FAIL },
	{ COPIES_WORDS, &faulty_pairing, "every_byte_of_every_size_arrives",
	  CONFORM_FAIL },
	{ WRITES_ON_FAILURE, &faulty_pairing,
	  "try_calls_say_empty_and_full_without_waiting", CONFORM_FAIL },
	{ WRITES_BEYOND, &faulty_pairing,
	  "a_closed_channel_drains_and_then_ends", CONFORM_FAIL },

	/* capacity */
	{ LEN_IS_ONE_MORE, &faulty_pairing, "len_and_cap_are_exact_at_rest",
	  CONFORM_FAIL },
	{ LEN_IS_ONE_MORE, &faulty_pairing, "len_is_never_more_than_cap",
	  CONFORM_FAIL },
	{ LEN_COUNTS_A_BATCH_ONCE, &faulty_pairing,
	  "len_is_exact_whatever_happened", CONFORM_FAIL },
	{ LEN_IS_0_WHEN_CLOSED, &faulty_pairing,
	  "len_is_exact_whatever_happened", CONFORM_FAIL },
	{ LEN_IS_READ_IN_TWO_LOOKS, &faulty_pairing,
	  "len_stays_in_bounds_while_elements_pass", CONFORM_FAIL },
	{ WRAPS_AT_32_BITS, &faulty_pairing, "counters_may_pass_their_end",
	  CONFORM_FAIL },
	{ WRAPS_AT_32_BITS_WITH_ALL_SLOTS_USED, &faulty_pairing,
	  "counters_may_pass_their_end", CONFORM_FAIL },
	{ TAKES_ONE_MORE, &faulty_pairing,
	  "try_calls_say_empty_and_full_without_waiting", CONFORM_FAIL },
	{ FULL_TOO_EARLY, &faulty_pairing,
	  "try_calls_say_empty_and_full_without_waiting", CONFORM_FAIL },
	{ TRY_RECV_WAITS, &faulty_pairing,
	  "try_calls_say_empty_and_full_without_waiting", CONFORM_HUNG },
	{ TRY_SEND_WAITS, &faulty_pairing,
	  "try_calls_say_empty_and_full_without_waiting", CONFORM_HUNG },

	/* close */
	{ CLOSED_HIDES_ELEMENTS, &faulty_pairing,
	  "a_closed_channel_drains_and_then_ends", CONFORM_FAIL },
	{ CLOSED_HIDES_ELEMENTS, &faulty_pairing,
	  "close_does_not_hide_an_element_from_try_recv", CONFORM_FAIL },
	{ CLOSED_HIDES_ELEMENTS, &faulty_pairing,
	  "a_send_that_races_with_close_is_kept_or_refused", CONFORM_FAIL },
	{ SENDS_INTO_THE_VOID, &faulty_pairing,
	  "sends_after_close_fail_and_deliver_nothing", CONFORM_FAIL },
	{ SENDS_INTO_THE_VOID, &faulty_pairing,
	  "a_send_that_races_with_close_is_kept_or_refused", CONFORM_FAIL },
	{ SENDS_INTO_THE_VOID, &faulty_pairing,
	  "close_under_load_loses_nothing", CONFORM_FAIL },
	{ CLOSE_WAKES_ONE, &faulty_pairing,
	  "close_wakes_every_waiting_receiver", CONFORM_HUNG },
	{ CLOSE_FORGETS_SENDERS, &faulty_pairing,
	  "close_wakes_every_waiting_sender", CONFORM_HUNG },
	{ CLOSE_FORGETS_SENDERS, &faulty_pairing,
	  "close_ends_a_timed_send_at_once", CONFORM_HUNG },
	{ CLOSES_TWICE, &faulty_pairing, "only_the_first_close_succeeds",
	  CONFORM_FAIL },
	{ CLOSES_TWICE, &faulty_pairing, "of_several_closers_one_wins",
	  CONFORM_FAIL },
	{ CLOSES_TWICE_AT_ONCE, &faulty_pairing, "of_several_closers_one_wins",
	  CONFORM_FAIL },
	{ COMES_IN_AFTER_CLOSE, &faulty_pairing,
	  "close_waits_for_what_is_being_sent", CONFORM_FAIL },
	{ CLOSE_LOSES_CLAIMED, &faulty_pairing,
	  "close_waits_for_what_is_being_sent", CONFORM_FAIL },
	{ TAKES_FROM_SENDERS_AFTER_CLOSE, &faulty_pairing,
	  "a_closed_channel_takes_nothing_from_waiting_senders", CONFORM_FAIL },
	{ DROPS_BACKWARDS, &faulty_pairing,
	  "the_last_reference_drops_what_is_left", CONFORM_FAIL },
	{ LOSES_ONE_IN_50, &faulty_pairing,
	  "the_last_reference_drops_what_is_left", CONFORM_FAIL },

	/* waking */
	{ NEVER_WAKES, &faulty_pairing, "recv_waits_while_empty",
	  CONFORM_HUNG },
	{ NEVER_WAKES, &faulty_pairing, "send_waits_while_full", CONFORM_HUNG },
	{ WAKES_ONLY_FROM_EMPTY, &faulty_notifying,
	  "every_element_wakes_a_receiver", CONFORM_HUNG },
	{ WAKES_ONLY_FROM_EMPTY, &faulty_notifying,
	  "one_batch_wakes_all_that_it_serves", CONFORM_HUNG },
	{ WAKES_ONLY_FROM_FULL, &faulty_notifying, "every_space_wakes_a_sender",
	  CONFORM_HUNG },
	{ WAKES_ONLY_FROM_FULL, &faulty_notifying,
	  "one_batch_taken_wakes_all_that_fit", CONFORM_HUNG },
	{ SWALLOWS_WAKE_UPS, &faulty_notifying,
	  "a_receiver_that_gives_up_passes_its_wake_up_on", CONFORM_HUNG },
	{ SWALLOWS_WAKE_UPS, &faulty_notifying,
	  "a_sender_that_gives_up_passes_its_wake_up_on", CONFORM_HUNG },

	{ WAITS_WITHOUT_A_SECOND_LOOK, &faulty_pairing,
	  "a_send_that_begins_to_wait_is_told", CONFORM_HUNG },
	{ WAITS_WITHOUT_A_SECOND_LOOK, &faulty_pairing,
	  "a_receive_that_begins_to_wait_is_told", CONFORM_HUNG },
	{ KNOWS_64_WAITERS, &faulty_pairing, "a_crowd_of_receivers_is_served",
	  CONFORM_HUNG },
	{ KNOWS_64_WAITERS, &faulty_pairing, "a_crowd_of_senders_is_served",
	  CONFORM_HUNG },
	{ BUSY_IS_EMPTY, &faulty_pairing,
	  "a_task_that_sent_finds_an_element_at_once", CONFORM_FAIL },
	{ BUSY_IS_EMPTY, &faulty_pairing,
	  "a_receiver_that_sent_finds_an_element", CONFORM_FAIL },
	{ BUSY_IS_FULL, &faulty_pairing,
	  "a_task_that_took_finds_a_space_at_once", CONFORM_FAIL },

	/* time */
	{ GIVES_UP_EARLY, &faulty_pairing,
	  "recv_times_out_at_its_deadline_and_not_before", CONFORM_FAIL },
	{ GIVES_UP_EARLY, &faulty_pairing,
	  "send_times_out_at_its_deadline_and_not_before", CONFORM_FAIL },
	{ DELIVERS_AFTER_TIMEOUT, &faulty_pairing,
	  "a_send_that_timed_out_is_never_delivered", CONFORM_FAIL },
	{ DELIVERS_AFTER_TIMEOUT, &faulty_pairing,
	  "two_tasks_with_deadlines_lose_nothing", CONFORM_FAIL },
	{ TIMES_OUT_AND_TAKES, &faulty_pairing,
	  "many_tasks_with_deadlines_lose_nothing", CONFORM_FAIL },
	{ TIMES_OUT_AND_TAKES, &faulty_pairing, "each_send_learns_its_own_fate",
	  CONFORM_FAIL },
	{ EXPIRED_DOES_NOT_LOOK, &faulty_pairing,
	  "an_expired_deadline_still_takes_what_is_there", CONFORM_FAIL },
	{ EXPIRED_BEATS_CLOSE, &faulty_pairing,
	  "close_wins_over_an_expired_deadline", CONFORM_FAIL },
	{ FAR_IS_PAST, &faulty_pairing, "a_far_deadline_does_not_expire",
	  CONFORM_FAIL },
	{ WAITS_FOR_EVER, &faulty_pairing, "short_deadlines_are_not_early",
	  CONFORM_HUNG },
	{ COUNTS_SPANS_IN_32_BITS, &faulty_pairing,
	  "a_far_deadline_does_not_expire", CONFORM_FAIL },
	{ WAITS_FOR_EVER_PAST_2_SECONDS, &faulty_pairing,
	  "a_deadline_of_seconds_is_kept", CONFORM_HUNG },
	{ ENDS_AT_A_SIGNAL, &faulty_pairing, "a_signal_does_not_end_a_wait",
	  CONFORM_FAIL },

	/* what the system does to it */
	{ ENDS_AT_A_SIGNAL, &faulty_pairing, "a_storm_of_signals_loses_nothing",
	  CONFORM_FAIL },
	{ FORGETS_WAITERS_IN_A_FORK, &faulty_pairing,
	  "a_fork_with_tasks_waiting_harms_nobody", CONFORM_HUNG },
	{ FORGETS_WAITERS_IN_A_FORK, &faulty_pairing,
	  "a_fork_in_traffic_harms_nobody", CONFORM_HUNG },
	{ LEAKS_DESCRIPTORS, &faulty_pairing, "descriptors_are_closed_by_exec",
	  CONFORM_FAIL },

	/* capacity 0 */
	{ RENDEZVOUS_BUFFERS, &faulty_pairing, "send_waits_until_it_is_taken",
	  CONFORM_FAIL },
	{ RENDEZVOUS_BUFFERS, &faulty_pairing,
	  "send_returns_only_after_its_receive_began", CONFORM_FAIL },
	{ RENDEZVOUS_BUFFERS, &faulty_pairing,
	  "try_send_succeeds_only_while_a_receiver_waits", CONFORM_FAIL },
	{ TRY_SEND_NEEDS_NOBODY, &faulty_pairing,
	  "try_send_succeeds_only_while_a_receiver_waits", CONFORM_FAIL },

	{ MEETS_THE_LAST_FIRST, &faulty_pairing,
	  "the_first_to_wait_is_the_first_to_meet", CONFORM_FAIL },

	/* batches */
	{ BATCH_ENDS_TOO_EARLY, &faulty_pairing,
	  "a_native_batch_that_moves_nothing_says_why", CONFORM_FAIL },
	{ CLOSED_HIDES_ELEMENTS, &faulty_pairing,
	  "batches_drain_what_close_leaves", CONFORM_FAIL },
	{ BATCH_CUT_BY_CLOSE_SAYS_ONE_LESS, &faulty_pairing,
	  "a_batch_that_close_cuts_tells_how_far_it_got", CONFORM_FAIL },
	{ BATCH_SAYS_ONE_MORE, &faulty_pairing,
	  "a_batch_says_exactly_how_many_it_moved", CONFORM_FAIL },
	{ BATCH_SAYS_ONE_LESS, &faulty_pairing,
	  "a_batch_larger_than_the_channel_goes_through", CONFORM_FAIL },
	{ BATCH_IN_REVERSE, &faulty_pairing,
	  "a_batch_larger_than_the_channel_goes_through", CONFORM_FAIL },
	{ BATCH_IN_REVERSE, &faulty_pairing, "batches_lose_and_double_nothing",
	  CONFORM_FAIL },

	{ BATCH_SAYS_ONE_MORE, &faulty_pairing,
	  "close_in_the_middle_of_a_batch_is_told", CONFORM_FAIL },
	{ BATCH_SAYS_ONE_LESS, &faulty_pairing,
	  "a_deadline_in_the_middle_of_a_batch_is_told", CONFORM_FAIL },

	/* order, as much as is declared */
	{ SWAPS_ONE_IN_20, &faulty_pairing, "send_waits_while_full",
	  CONFORM_FAIL },
	{ SWAPS_ONE_IN_20, &each_in_order, "send_waits_while_full",
	  CONFORM_FAIL },
	{ DOUBLES_ONE_IN_50, &unordered, "send_waits_while_full",
	  CONFORM_FAIL },
	{ DOUBLES_ONE_IN_50, &unordered,
	  "a_closed_channel_drains_and_then_ends", CONFORM_FAIL },

	/* select */
	{ POLL_IGNORES_CLOSE, &faulty_notifying,
	  "poll_tells_what_a_try_would_find", CONFORM_FAIL },
	{ POLL_SEES_NOTHING, &faulty_notifying,
	  "poll_tells_what_a_try_would_find", CONFORM_FAIL },
	{ POLL_COUNTS_NOTHING, &faulty_notifying,
	  "poll_tells_what_a_try_would_find", CONFORM_FAIL },
	{ POLL_FALLS_BACK, &faulty_pairing, "poll_positions_only_grow",
	  CONFORM_FAIL },
	{ POLL_MISSES_CLOSE_WHEN_FULL, &faulty_notifying,
	  "poll_tells_what_a_try_would_find", CONFORM_FAIL },
	{ POLL_MISSES_THE_LAST, &faulty_notifying,
	  "poll_tells_what_a_try_would_find", CONFORM_FAIL },
	{ POLL_COUNTS_TOO_EARLY, &faulty_pairing,
	  "poll_misses_nothing_that_came_and_went", CONFORM_FAIL },
	{ COPIES_8_BYTES, &faulty_pairing, "only_the_chosen_case_is_written",
	  CONFORM_FAIL },
	{ LOSES_ONE_IN_50, &faulty_notifying,
	  "selects_over_two_kinds_of_channels_lose_nothing", CONFORM_HUNG },
	{ SENDS_INTO_THE_VOID, &faulty_pairing,
	  "close_during_selects_loses_nothing", CONFORM_FAIL },
	{ LOSES_ONE_IN_50, &faulty_notifying,
	  "cancelling_during_selects_loses_nothing", CONFORM_HUNG },

	/* memory, and none of it */
	{ LEAKS_DESCRIPTORS, &faulty_pairing,
	  "new_without_descriptors_leaves_nothing", CONFORM_FAIL },
	{ LEAKS_DESCRIPTORS, &faulty_pairing,
	  "channels_leave_no_thread_descriptor_or_mapping", CONFORM_FAIL },
	{ LEAVES_A_THREAD, &faulty_pairing,
	  "channels_leave_no_thread_descriptor_or_mapping", CONFORM_FAIL },
#if !SANITIZED
	{ KEEPS_WALL_TIME, &faulty_pairing,
	  "a_wall_clock_that_jumps_moves_no_deadline", CONFORM_FAIL },
	{ SPINS_FOR_ITS_PEER, &faulty_pairing,
	  "a_crowd_on_one_cpu_gets_through", CONFORM_FAIL },
	{ SPINS_FOR_ITS_PEER, &faulty_pairing,
	  "a_crowd_on_two_cpus_gets_through", CONFORM_FAIL },
	{ RECEIVES_BY_A_COPY, &faulty_chaining,
	  "a_receive_without_memory_succeeds", CONFORM_FAIL },
	{ COUNTS_WAITERS_IN_8_BITS, &faulty_pairing,
	  "a_crowd_of_receivers_is_served", CONFORM_HUNG },
	{ COUNTS_WAITERS_IN_8_BITS, &faulty_pairing,
	  "a_crowd_of_senders_is_served", CONFORM_HUNG },
	{ LEAVES_A_MAPPING, &faulty_pairing,
	  "channels_leave_no_thread_descriptor_or_mapping", CONFORM_FAIL },
	{ LEAKS_WHEN_A_SEND_FAILS, &faulty_pairing,
	  "no_call_leaves_memory_behind", CONFORM_FAIL },
	{ SENDS_WITHOUT_MEMORY, &faulty_pairing,
	  "a_send_without_memory_changes_nothing", CONFORM_FAIL },
	{ LEAKS_WITHOUT_MEMORY, &faulty_chaining,
	  "a_send_without_memory_leaves_none_behind", CONFORM_FAIL },
	{ READS_BEYOND, &faulty_pairing,
	  "no_call_touches_what_is_beside_its_elements", CONFORM_CRASHED },
	{ READS_BEYOND_A_BATCH, &faulty_pairing,
	  "no_call_touches_what_is_beside_its_elements", CONFORM_CRASHED },
	{ LOSES_ONE_AFTER_A_MILLION, &faulty_pairing,
	  "more_than_a_million_pass", CONFORM_FAIL },
	{ FORGETS_PADDING_OF_COUNTER, &blocking, "many_laps_keep_counting",
	  CONFORM_FAIL },
	/* Too few elements pass under a sanitizer. */
	{ DOUBLES_ONE_IN_50, &faulty_notifying,
	  "selects_and_calls_over_four_channels_lose_nothing", CONFORM_FAIL },
	{ FORGETS_PADDING_OF_COUNTER, &faulty_pairing,
	  "many_laps_keep_counting", CONFORM_FAIL },
	{ LEAKS_ITS_STATE, &faulty_pairing,
	  "channels_come_and_go_without_a_trace", CONFORM_FAIL },
	{ LEAKS_WHEN_CREATE_FAILS, &faulty_pairing,
	  "new_without_memory_leaves_nothing", CONFORM_FAIL },
	{ HOARDS, &faulty_chaining, "unbounded_gives_memory_back_after_a_burst",
	  CONFORM_FAIL },
	{ SENDS_WITHOUT_MEMORY, &faulty_chaining,
	  "a_send_without_memory_changes_nothing", CONFORM_FAIL },
	{ SENDS_WITHOUT_MEMORY, &faulty_chaining,
	  "a_batch_without_memory_is_told_how_far_it_got", CONFORM_FAIL },
	{ WRAPS_AROUND_SIZES, &faulty_pairing, "absurd_capacities_are_refused",
	  CONFORM_FAIL },
	{ WRAPS_AROUND_SIZES, &faulty_pairing,
	  "capacities_whose_bytes_wrap_are_refused", CONFORM_CRASHED },
	{ COUNTS_SIZES_IN_32_BITS, &faulty_pairing,
	  "capacities_whose_bytes_wrap_are_refused", CONFORM_CRASHED },
	{ CRASHES, &faulty_pairing, "every_element_arrives_exactly_once",
	  CONFORM_CRASHED },
	{ CRASHES_WITHOUT_BYTES, &faulty_pairing,
	  "a_closed_channel_drains_and_then_ends", CONFORM_CRASHED },
	{ CRASHES_WITHOUT_BYTES, &faulty_pairing,
	  "impossible_channels_are_refused", CONFORM_CRASHED },
#elif !WITH_TSAN
	{ LEAKS_ITS_STATE, &faulty_pairing, "only_the_first_close_succeeds",
	  CONFORM_FAIL },
#else
	{ LOCKS_WITHOUT_ORDER, &faulty_pairing,
	  "what_was_written_before_close_is_visible", CONFORM_FAIL },
	{ LOCKS_WITHOUT_ORDER, &faulty_pairing,
	  "what_was_written_before_a_send_is_visible", CONFORM_FAIL },
#endif
};

#define PLANTED (sizeof(planted) / sizeof(*planted))

/* --- each fault is found --- */

static void keep_result(const struct conform_result *r, void *arg)
{
	*(enum conform_verdict *)arg = r->verdict;
	if (r->verdict != CONFORM_PASS)
		printf("    %s: %s\n", conform_verdict_name(r->verdict),
		       r->why);
	if (r->verdict == CONFORM_HUNG) {
		assert_non_null(strstr(r->log, "task "));
		assert_non_null(strstr(r->log, "the calls, when time was up"));
	}
}

/* A fault that shows only if two tasks meet in the right moment may be missed
 * once: what passes is tried again. An honest channel passes every time. */
#define TRIES 20

static enum conform_verdict verdict_on(const struct planted *p, uint64_t seed)
{
	enum conform_verdict verdict = CONFORM_PASS;
	char only[128];
	/* Only what is to hang is not waited for: on a busy machine, a check
	 * that is to fail may take its time. */
	struct conform_opts opts = { .only = only,
		                     .seed = seed,
		                     .time_limit_ns = p->verdict == CONFORM_HUNG
		                                              ? PATIENCE
		                                              : LONG_PATIENCE };

	snprintf(only, sizeof(only), "^%s$", p->check);
	fault = p->fault;
	printf("fault %d on %s: %s\n", p->fault, p->impl->name, p->check);
	fflush(stdout);
	conform_run(p->impl, &opts, NULL, keep_result, &verdict);
	fault = NO_FAULT;
	return verdict;
}

/* Those that show as a hang, or all others. */
static void find_planted(bool hangs)
{
	unsigned missed = 0;

	for (size_t i = 0; i < PLANTED; i++) {
		enum conform_verdict verdict = CONFORM_PASS;

		if ((planted[i].verdict == CONFORM_HUNG) != hangs)
			continue;
		for (uint64_t try = 1; try <= TRIES && verdict == CONFORM_PASS;
		     try++)
			verdict = verdict_on(&planted[i], try);
		if (verdict == planted[i].verdict)
			continue;
		printf("    and should be %s\n",
		       conform_verdict_name(planted[i].verdict));
		missed++;
	}
	assert_int_equal(missed, 0);
}

static void each_fault_is_found_by_its_check(void **state)
{
	(void)state;
	find_planted(false);
}

static void each_hang_is_found_by_its_check(void **state)
{
	(void)state;
	find_planted(true);
}

/* --- what a hang says --- */

struct hang {
	enum fault fault;
	const struct weft_chan_impl *impl;
	const char *check;
	const char *why, *log; /* what they must have in them */
};

static void keep_hang(const struct conform_result *r, void *arg)
{
	const struct hang *h = arg;

	assert_int_equal(r->verdict, CONFORM_HUNG);
	printf("%s\n%s", r->why, r->log);
	assert_non_null(strstr(r->why, h->why));
	assert_non_null(strstr(r->log, h->log));
}

/* How many of a crowd are left when the last wake-up is lost is chance. What is
 * said is of the hang only if all tasks have come to it: they have time to. */
static void a_hang_says_what_waits_and_for_what(void **state)
{
	struct hang hangs[] = {
		{ WAKES_ONLY_FROM_EMPTY, &faulty_notifying,
		  "every_element_wakes_a_receiver", " receives wait with ",
		  " waits in recv on channel " },
		{ CLOSE_WAKES_ONE, &faulty_pairing,
		  "close_wakes_every_waiting_receiver",
		  "a lost wake-up: 19 calls wait on a closed channel",
		  "closed, capacity 0: 0 sends, 19 receives and 0 selects "
		  "wait; 0 sent, 0 received" },
		{ WAKES_ONLY_FROM_FULL, &faulty_notifying,
		  "every_space_wakes_a_sender", " sends wait with ",
		  "inside and room for 2" },
		{ NEVER_WAKES, &faulty_pairing, "recv_waits_while_empty",
		  "handed to a receive that was not woken: 1 sent, 0 "
		  "received, 0 inside",
		  "after 0 sends and 0 receives of its own" },
		{ LEN_HANGS, &faulty_pairing, "len_is_exact_whatever_happened",
		  "likely: len() does not return", "its len is not asked for" },
		{ TRY_RECV_WAITS, &faulty_pairing,
		  "try_calls_say_empty_and_full_without_waiting",
		  "likely: try_recv() does not return",
		  " is in try_recv on channel " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(hangs) / sizeof(*hangs); i++) {
		char only[128];
		struct conform_opts opts = { .only = only,
			                     .time_limit_ns = 3 * PATIENCE };

		snprintf(only, sizeof(only), "^%s$", hangs[i].check);
		fault = hangs[i].fault;
		conform_run(hangs[i].impl, &opts, NULL, keep_hang, &hangs[i]);
		fault = NO_FAULT;
	}
}

/* --- what a failure says --- */

static void keep_why(const struct conform_result *r, void *arg)
{
	assert_int_equal(r->verdict, CONFORM_FAIL);
	printf("%s\n", r->why);
	assert_non_null(strstr(r->why, arg));
}

static void a_failure_names_the_call_that_failed(void **state)
{
	char why[] = ": try_recv returned -EPIPE (-32); it must return 0";
	struct conform_opts opts = {
		.only = "^close_does_not_hide_an_element_from_try_recv$"
	};

	(void)state;
	fault = CLOSED_HIDES_ELEMENTS;
	conform_run(&faulty_pairing, &opts, NULL, keep_why, why);
	fault = NO_FAULT;
}

/* --- more of the repetitions --- */

static void more_of_the_repetitions_count_further(void **state)
{
	enum conform_verdict usual = CONFORM_FAIL, more = CONFORM_PASS;
	struct conform_opts opts = { .only = "^more_than_a_million_pass$" };

	(void)state;
	if (SANITIZED)
		skip();
	fault = LOSES_ONE_AFTER_TWO_MILLION;
	conform_run(&faulty_pairing, &opts, NULL, keep_result, &usual);
	opts.percent = 2000; /* however slow the machine is */
	conform_run(&faulty_pairing, &opts, NULL, keep_result, &more);
	fault = NO_FAULT;
	assert_int_equal(usual, CONFORM_PASS);
	assert_int_equal(more, CONFORM_FAIL);
}

/* --- and nothing else --- */

static void must_pass(const struct conform_result *r, void *arg)
{
	(void)arg;
	if (r->verdict == CONFORM_PASS || r->verdict == CONFORM_NA)
		return;
	printf("%s: %s %s\n  at %s: %s\n%s", r->impl->name,
	       conform_verdict_name(r->verdict), conform_name(r->check),
	       r->where, r->why, r->log);
}

static void an_honest_channel_passes_every_check(void **state)
{
	static const struct weft_chan_impl *const honest[] = {
		&faulty_pairing, &faulty_notifying, &faulty_chaining
	};
	struct conform_opts opts = { .percent = 10 };

	(void)state;
	for (size_t i = 0; i < sizeof(honest) / sizeof(honest[0]); i++)
		assert_int_equal(
		        conform_run(honest[i], &opts, NULL, must_pass, NULL),
		        0);
}

/* --- how a channel waits is found out --- */

static void only_waits_that_park_are_taken_for_such(void **state)
{
	(void)state;
	assert_true(manner_is_to_park(&faulty_pairing));
	assert_true(manner_is_to_park(&faulty_notifying));
	assert_true(manner_is_to_park(&faulty_chaining));
	assert_true(manner_is_to_park(weft_chan_impl_find("handoff")));
	assert_false(manner_is_to_park(weft_chan_impl_find("condvar")));
	fault = NEVER_WAKES;
	assert_false(manner_is_to_park(&faulty_pairing));
	fault = NO_FAULT;
}

/* --- what is not declared is not tested --- */

struct counted {
	unsigned run, na;
};

static void count_result(const struct conform_result *r, void *arg)
{
	struct counted *n = arg;

	if (r->verdict == CONFORM_NA) {
		n->na++;
		assert_true(r->why[0] != '\0');
	} else {
		n->run++;
	}
}

static void what_is_not_declared_does_not_apply(void **state)
{
	struct weft_chan_impl less = faulty_pairing;
	struct conform_opts opts = { .only = "deadline|time|rendezvous|len_",
		                     .percent = 10 };
	struct counted all = { 0, 0 }, some = { 0, 0 };

	(void)state;
	conform_run(&faulty_pairing, &opts, NULL, count_result, &all);
	less.can &= ~(uint64_t)(WEFT_CAN_TIMEOUT | WEFT_CAN_LEN);
	conform_run(&less, &opts, NULL, count_result, &some);
	assert_int_equal(all.run + all.na, some.run + some.na);
	assert_true(some.na > all.na);
	less.can |= WEFT_NO_DATA;
	less.max_senders = 1;
	conform_run(&less, &opts, NULL, count_result, &some);
	assert_true(some.run > 0);
}

static void ignore(const struct conform_result *r, void *arg)
{
	(void)r;
	(void)arg;
}

static void bad_input_is_refused(void **state)
{
	struct conform_opts opts = { .only = "(" };

	(void)state;
	assert_int_equal(conform_run(NULL, NULL, NULL, ignore, NULL), -EINVAL);
	assert_int_equal(conform_run(&faulty_pairing, NULL, NULL, NULL, NULL),
	                 -EINVAL);
	assert_int_equal(
	        conform_run(&faulty_pairing, &opts, NULL, ignore, NULL),
	        -EINVAL);
}

static void names_are_sentences_and_unique(void **state)
{
	const struct conform_check *a, *b;

	(void)state;
	assert_true(conform_count() > 100);
	for (size_t i = 0; (a = conform_at(i)); i++) {
		const char *name = conform_name(a);

		assert_true(strlen(name) ==
		            strspn(name, "abcdefghijklmnopqrstuvwxyz_"));
		for (size_t k = 0; k < i && (b = conform_at(k)); k++)
			assert_string_not_equal(name, conform_name(b));
	}
	assert_null(conform_at(conform_count()));
}

/* --- the command --- */

static int command(int n, const char **words)
{
	char *argv[8] = { (char *)(uintptr_t) "check" };

	for (int i = 0; i < n; i++)
		argv[i + 1] = (char *)(uintptr_t)words[i];
	return conform_main(n + 1, argv);
}

#define COMMAND(...)                                                           \
	command(sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(char *),      \
	        (const char *[]){ __VA_ARGS__ })

static void the_command_says_what_is_wrong(void **state)
{
	(void)state;
	assert_int_equal(COMMAND("--chan=nosuch"), 2);
	assert_int_equal(COMMAND("--chan"), 2);
	assert_int_equal(COMMAND("--load=/nonexistent/x.so"), 2);
	assert_int_equal(COMMAND("--load=" BROKEN "/dying.so"), 1);
	assert_int_equal(COMMAND("--load=" BROKEN "/leaving.so"), 1);
	/* What it orders would be reported as a race. */
	assert_int_equal(
	        COMMAND("--load=" BROKEN "/unsanitized.so",
	                "--only=^what_was_written_before_a_send_is_visible$"),
	        WITH_TSAN ? 2 : 0);
	assert_int_equal(COMMAND("--all", "--percent=0"), 2);
	assert_int_equal(COMMAND("--chan=handoff", "--all"), 2);
	assert_int_equal(COMMAND("--seed=1"), 2);
	assert_int_equal(COMMAND("--all", "--seed=x"), 2);
	assert_int_equal(COMMAND("--all", "--seed=0"), 2);
	assert_int_equal(COMMAND("--all", "--time-limit=0"), 2);
	assert_int_equal(COMMAND("--all", "--only=("), 2);
	assert_int_equal(COMMAND("--all", "--only=^nothing$"), 2);
	assert_int_equal(COMMAND("--all", "--json=yes"), 2);
	assert_int_equal(COMMAND("--all", "--frobnicate"), 2);
	assert_int_equal(COMMAND("handoff"), 2);
}

static void the_command_runs_and_lists(void **state)
{
	(void)state;
	assert_int_equal(COMMAND("--chan=handoff", "--only=^only_the_first"),
	                 0);
	assert_int_equal(COMMAND("--all", "--json", "--only=^only_the_first"),
	                 0);
	assert_int_equal(COMMAND("--list"), 0);
	assert_int_equal(COMMAND("--list", "--json"), 0);
}

/* Whichever test failed before. */
static int without_a_fault(void **state)
{
	(void)state;
	fault = NO_FAULT;
	return 0;
}

#define TEST(fn) cmocka_unit_test_setup(fn, without_a_fault)

/* In parts, which can be run beside each other: one has little to do but to
 * wait. */
int main(int argc, char **argv)
{
	const char *part = argc > 1 ? argv[1] : "";
	const struct CMUnitTest hangs[] = {
		TEST(a_hang_says_what_waits_and_for_what),
		TEST(each_hang_is_found_by_its_check),
	};
	const struct CMUnitTest faults[] = {
		TEST(a_failure_names_the_call_that_failed),
		TEST(each_fault_is_found_by_its_check),
		TEST(more_of_the_repetitions_count_further),
	};
	const struct CMUnitTest rest[] = {
		TEST(names_are_sentences_and_unique),
		TEST(bad_input_is_refused),
		TEST(an_honest_channel_passes_every_check),
		TEST(only_waits_that_park_are_taken_for_such),
		TEST(what_is_not_declared_does_not_apply),
		TEST(the_command_says_what_is_wrong),
		TEST(the_command_runs_and_lists),
	};

	declare_less();
	if (strcmp(part, "hangs") == 0)
		return cmocka_run_group_tests_name(part, hangs, NULL, NULL);
	if (strcmp(part, "faults") == 0)
		return cmocka_run_group_tests_name(part, faults, NULL, NULL);
	if (strcmp(part, "rest") == 0)
		return cmocka_run_group_tests_name(part, rest, NULL, NULL);
	fprintf(stderr, "usage: stress.conform hangs|faults|rest\n");
	return 2;
}
