/*
 * select: wait for several channels at once, and use exactly one of them.
 *
 *	struct weft_case cases[] = {
 *		weft_case_recv(jobs, &job),
 *		weft_case_send(results, &result),
 *		weft_case_recv(weft_ctx_done(ctx), NULL),
 *	};
 *
 *	switch (weft_select(cases, 3, WEFT_FOREVER)) {
 *	case 0: ...
 *
 * A case is ready when its call would not wait: there is an element, or
 * space, or a peer, or the channel is closed. Of the cases that are ready one
 * is chosen, each with the same probability, and done; if none is, the caller
 * waits until one becomes so. The others have then not happened: nothing was
 * sent, received or written for them, and nothing of the caller stays with
 * their channels.
 *
 * Any mix of implementations may stand in one select, several times the same
 * channel, and sends beside receives; a select never meets itself. Selects
 * meet each other as plain sends and receives do.
 */
#ifndef WEFT_SELECT_H
#define WEFT_SELECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/chan.h>
#include <weft/export.h>
#include <weft/time.h>

WEFT_BEGIN_DECLS

/* The most cases of one select. */
#define WEFT_SELECT_MAX 1024

enum weft_case_op {
	WEFT_CASE_RECV,
	WEFT_CASE_SEND,
};

struct weft_case {
	struct weft_chan *c; /* NULL: a case that is never ready */

	/* elem_size bytes, which a send reads and a receive writes; may be
	 * NULL when those are 0. */
	void *elem;
	enum weft_case_op op;

	/* Of the case that was chosen: 0; -EPIPE when the channel is closed,
	 * and drained where it is a receive; -ENOMEM from a send to an
	 * unbounded channel. Untouched in all others. */
	int err;
};

/* A case that receives into *elem. */
static inline struct weft_case weft_case_recv(struct weft_chan *c, void *elem)
{
	struct weft_case k = { c, elem, WEFT_CASE_RECV, 0 };

	return k;
}

/* A case that sends *elem, which is only read. */
static inline struct weft_case weft_case_send(struct weft_chan *c,
                                              const void *elem)
{
	struct weft_case k = { c, (void *)(uintptr_t)elem, WEFT_CASE_SEND, 0 };

	return k;
}

/*
 * Whether c may stand in a select: its implementation declares WEFT_CAN_SELECT
 * and, for a channel of capacity 0, shares its wait queue with selects, which
 * no plug-in can. False for NULL.
 */
WEFT_API bool weft_chan_can_select(const struct weft_chan *c);

/*
 * Wait until `deadline_ns` for one of the cases, and do that one.
 *
 * cases  n of them, 0 to WEFT_SELECT_MAX. Up to 16 cost no allocation.
 *
 * Returns the index of the case that was done, and then its err says how it
 * went; -ETIMEDOUT when at one instant, and that after an expired deadline,
 * no case was ready (WEFT_NOW asks for just that and never parks); -EINVAL
 * for NULL, too many cases, an unknown op, an elem that is NULL where the
 * channel carries data, and for a wait that nothing can end: no case with a
 * channel and WEFT_FOREVER; -EOPNOTSUPP for a channel that is not
 * weft_chan_can_select(); -ENOMEM with more than 16 cases only. After an error
 * no case has happened.
 *
 * Ordering as in the plain calls. Progress: with WEFT_NOW, or once the deadline
 * has expired, it waits for no peer but one that is in the middle of an
 * operation; it looks again as long as channels keep moving without one being
 * ready when it comes by, which takes the longer the more cases there are.
 */
WEFT_API WEFT_NODISCARD int weft_select(struct weft_case *cases, size_t n,
                                        int64_t deadline_ns);

WEFT_END_DECLS

#endif
