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
	FORGETS_PADDING_OF_COUNTER, /* 16 bits that do not wrap with cap */
	WRITES_ON_FAILURE,
	WRITES_BEYOND,

	/* capacity */
	LEN_IS_ONE_MORE,
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
	CLOSE_FORGETS_SENDERS,
	DROPS_BACKWARDS,
	CLOSE_LOSES_CLAIMED, /* between two steps of a send that returns 0 */

	/* waking */
	NEVER_WAKES,
	WAKES_ONLY_FROM_EMPTY,
	WAKES_ONLY_FROM_FULL,
	SWALLOWS_WAKE_UPS,

	/* time */
	GIVES_UP_EARLY,
	DELIVERS_AFTER_TIMEOUT,
	TIMES_OUT_AND_TAKES,
	EXPIRED_DOES_NOT_LOOK,
	EXPIRED_BEATS_CLOSE,
	FAR_IS_PAST,
	WAITS_FOR_EVER,

	/* capacity 0 */
	RENDEZVOUS_BUFFERS,
	TRY_SEND_NEEDS_NOBODY,

	/* batches */
	BATCH_SAYS_ONE_MORE,
	BATCH_SAYS_ONE_LESS,
	BATCH_IN_REVERSE,

	/* memory, and none of it */
	LEAKS_ITS_STATE,
	LEAKS_WHEN_CREATE_FAILS,
	HOARDS,
	SENDS_WITHOUT_MEMORY,
	LEAKS_DESCRIPTORS,
	WRAPS_AROUND_SIZES,

	/* select */
	POLL_COUNTS_NOTHING,
	POLL_IGNORES_CLOSE,
	POLL_SEES_NOTHING,

	/* worse */
	CRASHES,
	CRASHES_WITHOUT_BYTES, /* when asked for elements of none */
	LOCKS_WITHOUT_ORDER,
};

extern enum fault fault;

extern const struct weft_chan_impl faulty_pairing, faulty_notifying,
        faulty_chaining;

#endif
