/*
 * link: requests go one way, replies come back.
 *
 *	weft_link_call  -> requests ->  weft_link_recv
 *	                <-  replies <-  weft_link_reply
 *
 * or weft_link_serve(), which does both with a function in between.
 *
 *   state    call        recv                    reply
 *   open     0           0                       0
 *   closed   -EPIPE      0, -EPIPE when drained  0
 *   stopped  the reason  the reason              the reason
 *
 * It ends as docs/components.md says. The call that is under way when it is
 * closed is still answered, and with that the link has ended.
 *
 * One call is under way at a time; other callers wait for their turn. So a
 * reply needs no address, and channels for one sender and one receiver will
 * do for any number of callers and one server. For several calls at once use a
 * link for each caller.
 *
 * Deadlines: a call that has expired is over, and its reply, should there ever
 * be one, is thrown away: calls are numbered, and no reply is taken for that
 * of another call. The server learns how long its caller waits. A request that
 * has expired before it is taken is not handed out, and a reply that nobody
 * waits for does not hold the server up beyond the deadline of its call. A
 * caller cannot know whether its expired call was served all the same.
 *
 * Ownership, where an element owns something: a request is the link's once it
 * has been given to weft_link_call(), whatever comes of that, then the
 * server's. A reply is the link's once weft_link_reply() has succeeded, then
 * the caller's. What the link cannot hand on it gives to drop_request or
 * drop_reply.
 *
 * Ordering: what a caller wrote before its call is visible to the server that
 * takes the request; what that wrote before its reply, to the caller.
 *
 * Any task may call anything below at any time on a live link, within the
 * senders and receivers that the implementation allows; all callers together
 * count as one.
 */
#ifndef WEFT_PATTERNS_LINK_H
#define WEFT_PATTERNS_LINK_H

#include <stddef.h>
#include <stdint.h>

#include <weft/chan.h>
#include <weft/ctx.h>
#include <weft/export.h>
#include <weft/task.h>

WEFT_BEGIN_DECLS

struct weft_link;

/* What a message carries besides the request or reply, in bytes. */
#define WEFT_LINK_HEAD 16

/* Zero everywhere is the default. */
struct weft_link_opts {
	const struct weft_chan_impl *impl; /* of both ways; NULL = handoff */
	size_t cap;                        /* of each way, in messages */
	size_t request_size; /* bytes, 0 to WEFT_ELEM_MAX - WEFT_LINK_HEAD */
	size_t reply_size;   /* likewise */
	enum weft_wait wait; /* how callers and servers wait */

	/* Its end stops the link, which holds a reference; NULL = none. */
	struct weft_ctx *ctx;

	/* For what cannot be handed on; NULL when there is nothing to release.
	 * The element is aligned to 16 bytes and gone after the call. */
	void (*drop_request)(void *request, void *drop_arg);
	void (*drop_reply)(void *reply, void *drop_arg);
	void *drop_arg;
};

/* Counts since the link was made. Exact at rest. */
struct weft_link_stats {
	uint64_t calls;    /* that had their turn */
	uint64_t answered; /* of these */
	uint64_t timeouts; /* calls that expired, before or in their turn */
	uint64_t late;     /* replies thrown away: nobody waited any more */
	uint64_t skipped;  /* requests thrown away, likewise */
};

/* What a server answers. */
struct weft_link_call {
	uint64_t number;     /* counts up from 1; 0 once answered */
	int64_t deadline_ns; /* of its caller's wait for the reply */
};

/*
 * Answer one request, on the task that runs weft_link_serve().
 *
 * call     which one it is, and how long its caller waits.
 * request  request_size bytes, aligned to 16; the function's.
 * reply    reply_size bytes, likewise; holds anything.
 *
 * Returns 0; or -errno, and then there is no reply, and the call returns that,
 * but -EIO in place of -EAGAIN, -ETIMEDOUT and -EPIPE.
 */
typedef int (*weft_link_fn)(const struct weft_link_call *call,
                            const void *request, void *reply, void *arg);

/*
 * Make a link.
 *
 * opts  NULL for the defaults (with requests and replies of 0 bytes).
 *
 * Returns 0, also for a context that has ended, and then it is stopped; -EINVAL
 * for NULL or what the implementation refuses; -ENOMEM; for a context with a
 * deadline also what weft_ctx_after() says. On failure *out is untouched.
 */
WEFT_API WEFT_NODISCARD int weft_link_new(struct weft_link **out,
                                          const struct weft_link_opts *opts);

/* Drop what is left and free the link. NULL is ignored. No other call may be
 * under way: join callers and servers first. */
WEFT_API void weft_link_free(struct weft_link *l);

/*
 * Send a request and wait for its reply, until `deadline_ns` in all.
 *
 * reply  reply_size bytes, written only on success.
 *
 * Returns 0; -ETIMEDOUT; -EPIPE when the link is closed before the request is
 * under way; the reason when it is or becomes stopped; what the server answered
 * with if that is an error; -EPROTO when the channel delivers what was never
 * sent; -ENOMEM from unbounded implementations; -EINVAL for NULL, and only then
 * the request is still the caller's.
 */
WEFT_API WEFT_NODISCARD int weft_link_call(struct weft_link *l,
                                           const void *request, void *reply,
                                           int64_t deadline_ns);

/*
 * Take the next request whose caller still waits.
 *
 * call     receives which call to answer.
 * request  request_size bytes, written only on success.
 *
 * Returns 0, and then one weft_link_reply() is due; -EPIPE when the link is
 * closed and drained; the reason once stopped; -ETIMEDOUT; -EINVAL for NULL.
 */
WEFT_API WEFT_NODISCARD int weft_link_recv(struct weft_link *l,
                                           struct weft_link_call *call,
                                           void *request, int64_t deadline_ns);

/*
 * Answer a call, waiting no longer than its caller does.
 *
 * call    from weft_link_recv(); its number is 0 afterwards.
 * status  0, or the -errno that weft_link_call() shall return: see
 *         weft_link_fn.
 * reply   reply_size bytes; not looked at when status is not 0.
 *
 * Returns 0 when the reply is on its way, which is not to say that its caller
 * will wait for it; -ETIMEDOUT when the caller has given up; the reason when
 * the link is or becomes stopped; -ENOMEM; -EINVAL for NULL, a status above 0,
 * or a call that has been answered. After an error the reply is still the
 * server's.
 */
WEFT_API WEFT_NODISCARD int weft_link_reply(struct weft_link *l,
                                            struct weft_link_call *call,
                                            int status, const void *reply);

/*
 * Answer requests with fn, on the calling task, until the link is closed and
 * drained.
 *
 * A function that ends its task, by weft_task_exit() or pthread_exit(), fails
 * the link: otherwise its caller would wait for ever. Of weft_link_recv() and
 * weft_link_reply() nothing does that. One that returns more than 0 answers
 * with -EINVAL.
 *
 * Returns 0; the reason when the link was stopped or has failed, which it also
 * does with -ENOMEM when a reply cannot be sent; -EINVAL for NULL.
 */
WEFT_API int weft_link_serve(struct weft_link *l, weft_link_fn fn, void *arg);

/* No more calls: the one under way is still answered, then servers end.
 * Returns 0; -EPIPE when the link was closed or stopped already; -EINVAL for
 * NULL. */
WEFT_API int weft_link_close(struct weft_link *l);

/* Stop: calls, recv and reply fail, those that wait too. What is inside stays
 * there for weft_link_free() to drop. Any number of times. Returns 0, or
 * -EINVAL for NULL. */
WEFT_API int weft_link_stop(struct weft_link *l);

/* Stop with an error, which calls, recv and reply then return; -EIO in place of
 * -EAGAIN, -ETIMEDOUT and -EPIPE. Returns 0; -EINVAL for NULL or an `err` that
 * is not negative. */
WEFT_API int weft_link_fail(struct weft_link *l, int err);

/* Figures of the link. Returns 0, or -EINVAL for NULL. */
WEFT_API int weft_link_stats(const struct weft_link *l,
                             struct weft_link_stats *out);

WEFT_END_DECLS

#endif
