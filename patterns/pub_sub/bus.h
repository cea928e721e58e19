/*
 * bus: messages that are published on a topic go to all that have joined it.
 *
 *	publish on a topic  ->  a copy for each subscriber of it  ->  recv
 *
 * A topic is a number. It begins with the first subscriber that joins it and is
 * gone with the last, so there is nothing to make or to free. A subscriber may
 * join any number of topics, and what it receives comes from all of them.
 *
 *   state                    publish         recv            join
 *   open                     0 or more       0, or waits     0
 *   closed, messages inside  -EPIPE          0               -EPIPE
 *   closed, all received     -EPIPE          -EPIPE          -EPIPE
 *   stopped                  -ECANCELED      -ECANCELED      -ECANCELED
 *   failed                   its error       its error       its error
 *   its context ended        weft_ctx_err()  the same        the same
 *
 * That is the bus. A subscriber comes to its own end, as if the bus were closed
 * for it alone, with weft_sub_close() and when the last of its topics goes:
 * because it leaves it or because that is closed.
 *
 * There are two kinds:
 *
 * - with queues, each subscriber has a channel of its own, of any
 *   implementation, and a message is copied into each;
 * - with a ring for each topic, a message is written once, and each subscriber
 *   reads it there. A subscriber that blocks holds up the ring, nobody else.
 *
 * Order: what one publisher publishes comes to each subscriber in its order;
 * in a ring only what is on the same topic. A subscriber gets what is published
 * after its join has returned and nothing that was published before the join.
 *
 * Any task or foreign thread may call anything below at any time on a live bus,
 * but for this: of a ring, one task at a time receives from a subscriber; with
 * queues no more than its implementation allows receivers.
 *
 * One lock guards a bus. It is not held while a publish waits, nor by a receive
 * that finds a message.
 */
#ifndef WEFT_PATTERNS_BUS_H
#define WEFT_PATTERNS_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/chan.h>
#include <weft/ctx.h>
#include <weft/export.h>

WEFT_BEGIN_DECLS

struct weft_bus;
struct weft_sub;

/* The largest capacity. */
#define WEFT_BUS_CAP_MAX ((size_t)1 << 24)

/* What happens to a message for which a subscriber has no room. */
enum weft_slow {
	WEFT_SLOW_BLOCK,       /* the publish waits for it */
	WEFT_SLOW_DROP_NEWEST, /* it misses the message; not in a ring */
	WEFT_SLOW_DROP_OLDEST, /* it misses the oldest that it has not taken */
	WEFT_SLOW_LATEST,      /* the same with room for one: the last value */
	WEFT_SLOW_DISCONNECT,  /* it is at its end: see weft_sub_recv() */
};

/* Zero everywhere is the default, but for cap. */
struct weft_bus_opts {
	bool ring; /* a ring for each topic; else queues */
	const struct weft_chan_impl *impl; /* of queues; NULL = handoff */
	/* Messages for which a subscriber, or a ring, has room: 1 to
	 * WEFT_BUS_CAP_MAX. A ring rounds it up to a power of two. */
	size_t cap;
	size_t elem_size;    /* 0 to WEFT_ELEM_MAX */
	enum weft_wait wait; /* how publishers and subscribers wait */

	/*
	 * For elements that refer to something that is counted; not with a
	 * ring, whose elements are plain data. A publish leaves the caller's
	 * own reference alone. hold() is called before a copy goes into a
	 * queue, with the lock of the bus held: it must not call the bus.
	 * drop() is called for each copy that nobody receives, outside of
	 * locks: with hold(), also for one that finds no room. NULL: nothing to
	 * be done.
	 */
	void (*hold)(const void *elem, void *drop_arg);
	void (*drop)(void *elem, void *drop_arg);
	void *drop_arg;

	/* Its end stops the bus; NULL for none. Referenced. */
	struct weft_ctx *ctx;
};

/* Zero everywhere is the default. */
struct weft_sub_opts {
	enum weft_slow slow;
	/* Of its queue; 0 = that of the bus. A ring has one for all. */
	size_t cap;
};

/* Exact at rest. */
struct weft_bus_stats {
	size_t topics;      /* that a subscriber has joined, or has yet to read
	                     */
	size_t subs;        /* not freed */
	uint64_t published; /* messages that had a subscriber to go to */
	uint64_t delivered; /* their copies, in a ring their readers */
};

struct weft_sub_stats {
	size_t topics;   /* that it has joined */
	uint64_t inside; /* messages it has not received; in a ring, more than
	                  * there is room for tells that it will miss some */
	uint64_t missed; /* so far, those not yet found out in a ring not
	                  * included */
};

/*
 * Make a bus without subscribers.
 *
 * Returns 0, also for a context that has ended, and then it is stopped; -EINVAL
 * for NULL, a capacity or elem_size out of range, an unknown wait, hold or drop
 * with a ring, or queues of an implementation that moves no data or limits how
 * many send at once; -ENOMEM; for a context with a deadline also what
 * weft_ctx_after() says. On failure *out is untouched.
 */
WEFT_API WEFT_NODISCARD int weft_bus_new(struct weft_bus **out,
                                         const struct weft_bus_opts *opts);

/* Free the bus with all of its subscribers, dropping what is inside. NULL is
 * ignored. No other call may be under way. */
WEFT_API void weft_bus_free(struct weft_bus *b);

/*
 * Publish a message: to all that have joined the topic by now; through a ring
 * also to those that join while it waits for room.
 *
 * With queues it goes to one subscriber after the other. Where it has to wait
 * for one that blocks and the deadline comes, that one misses it and counts it,
 * and the others get it all the same. A ring has room for all or for none: then
 * nobody gets it and nobody counts it.
 *
 * Returns how many have got it, 0 where nobody has joined; -EPIPE when the bus
 * was or is being closed; the reason; -ETIMEDOUT, never when there was room at
 * all of them; -ENOMEM from unbounded implementations; -EINVAL for NULL. After
 * an error of queues some may have got it.
 *
 * A subscriber that leaves, and a topic that is closed, while a publish waits
 * for it is waited for no longer.
 */
WEFT_API WEFT_NODISCARD int weft_bus_publish(struct weft_bus *b, uint64_t topic,
                                             const void *elem,
                                             int64_t deadline_ns);

/* The same without waiting: -EAGAIN instead of -ETIMEDOUT. */
WEFT_API WEFT_NODISCARD int
weft_bus_try_publish(struct weft_bus *b, uint64_t topic, const void *elem);

/*
 * Publish n messages from an array, in order, each as weft_bus_publish() does;
 * those of other publishers may come between. The lock of the bus is taken, and
 * subscribers are woken, once for as many as there is room for.
 *
 * done  receives how many were published. Of queues it is n, or 0 after another
 *       error than -ETIMEDOUT; what is behind it in a ring nobody has got.
 *
 * Returns 0, also where nobody has joined; -ETIMEDOUT, of queues when there was
 * a subscriber that has missed some; else as weft_bus_publish().
 */
WEFT_API WEFT_NODISCARD int
weft_bus_publish_many(struct weft_bus *b, uint64_t topic, const void *elems,
                      size_t n, size_t *done, int64_t deadline_ns);

/* Close: nothing more comes in, what is inside still comes out. Does not wait.
 * Returns 0; -EPIPE when it was closed, stopped or had failed before; -EINVAL
 * for NULL. */
WEFT_API int weft_bus_close(struct weft_bus *b);

/* Close a topic: all that have joined it leave it, but for what is inside,
 * which still comes out. A later join begins it anew. Returns 0, also when
 * there is no such topic; -EINVAL for NULL. */
WEFT_API int weft_bus_close_topic(struct weft_bus *b, uint64_t topic);

/* Stop at once, and the same for an error of the caller's, as
 * docs/components.md says: -EAGAIN, -ETIMEDOUT and -EPIPE become -EIO. Return
 * 0; -EINVAL for NULL, or an err that is not negative. */
WEFT_API int weft_bus_stop(struct weft_bus *b);
WEFT_API int weft_bus_fail(struct weft_bus *b, int err);

/* Wait until the bus is closed and every subscriber has seen its end or has
 * been freed. Returns 0; the reason; -ETIMEDOUT; -EINVAL for NULL. */
WEFT_API WEFT_NODISCARD int weft_bus_join(struct weft_bus *b,
                                          int64_t deadline_ns);

/* Figures. Returns 0, or -EINVAL for NULL. */
WEFT_API int weft_bus_stats(struct weft_bus *b, struct weft_bus_stats *out);

/*
 * Make a subscriber, which has not joined any topic.
 *
 * opts  NULL for the defaults.
 *
 * Returns 0; -EPIPE when the bus was closed; the reason; -EINVAL for NULL, an
 * unknown `slow`, one that a ring has not, a capacity that is out of range or
 * given for a ring, and for WEFT_SLOW_DROP_OLDEST and _LATEST an implementation
 * that allows one receiver only; -ENOTSUP for _LATEST over one that makes more
 * room than for one; -ENOMEM. On failure *out is untouched.
 */
WEFT_API WEFT_NODISCARD int weft_sub_new(struct weft_sub **out,
                                         struct weft_bus *b,
                                         const struct weft_sub_opts *opts);

/* Leave all topics, drop what was not received, and free the subscriber. NULL
 * is ignored. No other call on the subscriber may be under way; a publish that
 * waits for it goes on. */
WEFT_API void weft_sub_free(struct weft_sub *s);

/* Join a topic; once joined, again changes nothing. Returns 0; -EPIPE when the
 * subscriber is at its end; the reason; -ENOMEM; -EINVAL for NULL. */
WEFT_API WEFT_NODISCARD int weft_sub_join(struct weft_sub *s, uint64_t topic);

/* Leave a topic: nothing more of it comes in, but for what is being published
 * now. What is in a queue still comes out; in a ring it is given up. Returns 0,
 * also when it had not joined it; -EINVAL for NULL. */
WEFT_API int weft_sub_leave(struct weft_sub *s, uint64_t topic);

/* Drain: leave all topics, but for what is inside, which still comes out before
 * the end. What is in a ring holds it up until then if the subscriber blocks;
 * otherwise it may still be overtaken there, and miss what it has not received.
 * Returns 0, any number of times; -EINVAL for NULL. */
WEFT_API int weft_sub_close(struct weft_sub *s);

/*
 * Receive the next message of any of the topics.
 *
 * elem    of a ring it may have been written to even after an error.
 * missed  receives, with a message and at the end, how many were missed since
 *         this was last told; may be NULL. Of a ring those just before this
 *         message; of queues all by now, where no publish is under way.
 *
 * Returns 0; -EPIPE at the end; -EOVERFLOW at the end of a subscriber that was
 * disconnected: behind what its queue held; of a ring at once; the reason,
 * which wins over what is inside; -ETIMEDOUT; -EINVAL for NULL.
 */
WEFT_API WEFT_NODISCARD int weft_sub_recv(struct weft_sub *s, void *elem,
                                          uint64_t *missed,
                                          int64_t deadline_ns);

/* The same without waiting: -EAGAIN instead of -ETIMEDOUT. */
WEFT_API WEFT_NODISCARD int weft_sub_try_recv(struct weft_sub *s, void *elem,
                                              uint64_t *missed);

/*
 * Receive up to n messages into an array: wait for one, then take what is there
 * without waiting for more; of a ring from one topic, and only up to a place
 * where some were missed, which the next call tells.
 *
 * done  receives how many were received: 1 to n on success, 0 on an error.
 *
 * Otherwise as weft_sub_recv(); n = 0 returns 0.
 */
WEFT_API WEFT_NODISCARD int weft_sub_recv_many(struct weft_sub *s, void *elems,
                                               size_t n, size_t *done,
                                               uint64_t *missed,
                                               int64_t deadline_ns);

/* Figures. Returns 0, or -EINVAL for NULL. */
WEFT_API int weft_sub_stats(struct weft_sub *s, struct weft_sub_stats *out);

WEFT_END_DECLS

#endif
