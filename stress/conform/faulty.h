/*
 * faulty: channels with one fault at a time, to prove that the checks find it.
 *
 * Three honest implementations, small enough to be read, into which a fault
 * can be switched: `pairing` finishes a waiting peer's call for it and does
 * capacity 0 too, `notifying` only tells a waiter to look again, `chaining` is
 * unbounded and does not wait. The first two do their own waiting, because
 * faults in waking are theirs to make. All can stand in a select.
 */
#ifndef STRESS_CONFORM_FAULTY_H
#define STRESS_CONFORM_FAULTY_H

#include <weft/chan_impl.h>

enum fault {
	NO_FAULT,

	/* elements */
	LOSES_ONE_IN_50,
	DOUBLES_ONE_IN_50,
	SWAPS_ONE_IN_20,
	COPIES_8_BYTES,
	COPIES_WORDS,               /* of 8 bytes, if it is longer than one */
	FORGETS_PADDING_OF_COUNTER, /* 16 bits that do not wrap with cap */
	WRITES_ON_FAILURE,
	WRITES_BEYOND,
	READS_BEYOND,
	READS_BEYOND_A_BATCH,
	WRAPS_AT_32_BITS,
	WRAPS_AT_32_BITS_WITH_ALL_SLOTS_USED, /* modulo cap, none to spare */
	LOSES_ONE_AFTER_A_MILLION,
	LOSES_ONE_AFTER_TWO_MILLION,

	/* capacity */
	LEN_IS_ONE_MORE,
	LEN_COUNTS_A_BATCH_ONCE,
	LEN_IS_0_WHEN_CLOSED,
	LEN_IS_READ_IN_TWO_LOOKS,
	LEN_HANGS, /* while a send waits */
	TAKES_ONE_MORE,
	TRY_RECV_WAITS,
	TRY_SEND_WAITS,
	FULL_TOO_EARLY,
	BUSY_IS_EMPTY, /* a try_recv while another call is under way */
	BUSY_IS_FULL,

	/* close */
	CLOSED_HIDES_ELEMENTS,
	SENDS_INTO_THE_VOID, /* after close: 0, and never delivered */
	CLOSE_WAKES_ONE,
	CLOSES_TWICE,
	CLOSES_TWICE_AT_ONCE,
	COMES_IN_AFTER_CLOSE,
	TAKES_FROM_SENDERS_AFTER_CLOSE,
	CLOSE_FORGETS_SENDERS,
	DROPS_BACKWARDS,
	CLOSE_LOSES_CLAIMED, /* between two steps of a send that returns 0 */

	/* waking */
	NEVER_WAKES,
	WAKES_ONLY_FROM_EMPTY,
	WAKES_ONLY_FROM_FULL,
	SWALLOWS_WAKE_UPS,
	WAITS_WITHOUT_A_SECOND_LOOK,
	KNOWS_64_WAITERS,
	COUNTS_WAITERS_IN_8_BITS,

	/* time */
	GIVES_UP_EARLY,
	DELIVERS_AFTER_TIMEOUT,
	TIMES_OUT_AND_TAKES,
	EXPIRED_DOES_NOT_LOOK,
	EXPIRED_BEATS_CLOSE,
	FAR_IS_PAST,
	WAITS_FOR_EVER,
	WAITS_FOR_EVER_PAST_2_SECONDS,
	COUNTS_SPANS_IN_32_BITS,
	KEEPS_WALL_TIME,

	/* what the system does to it */
	ENDS_AT_A_SIGNAL,
	SPINS_FOR_ITS_PEER,
	FORGETS_WAITERS_IN_A_FORK,

	/* capacity 0 */
	RENDEZVOUS_BUFFERS,
	TRY_SEND_NEEDS_NOBODY,
	MEETS_THE_LAST_FIRST,

	/* batches */
	BATCH_SAYS_ONE_MORE,
	BATCH_SAYS_ONE_LESS,
	BATCH_IN_REVERSE,
	BATCH_ENDS_TOO_EARLY, /* -EPIPE with elements inside */
	BATCH_CUT_BY_CLOSE_SAYS_ONE_LESS,

	/* memory, and none of it */
	LEAKS_ITS_STATE,
	LEAKS_WHEN_CREATE_FAILS,
	HOARDS,
	SENDS_WITHOUT_MEMORY,
	LEAKS_WITHOUT_MEMORY,
	LEAKS_WHEN_A_SEND_FAILS,
	RECEIVES_BY_A_COPY, /* in memory that it allocates */
	LEAKS_DESCRIPTORS,
	LEAVES_A_THREAD,
	LEAVES_A_MAPPING,
	WRAPS_AROUND_SIZES,
	COUNTS_SIZES_IN_32_BITS,

	/* select */
	POLL_COUNTS_NOTHING,
	POLL_IGNORES_CLOSE,
	POLL_SEES_NOTHING,
	POLL_FALLS_BACK,
	POLL_COUNTS_TOO_EARLY, /* before the element is there */
	POLL_MISSES_CLOSE_WHEN_FULL,
	POLL_MISSES_THE_LAST,

	/* worse */
	CRASHES,
	CRASHES_WITHOUT_BYTES, /* when asked for elements of none */
	LOCKS_WITHOUT_ORDER,
};

extern enum fault fault;

extern const struct weft_chan_impl faulty_pairing, faulty_notifying,
        faulty_chaining;

#endif
