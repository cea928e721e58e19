/*
 * pipeline: items flow through stages that work at the same time.
 *
 *	send -> chan -> stage 0 -> chan -> ... -> stage n-1 -> chan -> recv
 *
 * Each stage has one or more workers, which are tasks of the pipeline, and a
 * channel of its own in front of it; one more channel holds what comes out of
 * the last stage. All of them are of the same implementation and capacity.
 *
 * States, and which error wins: docs/components.md. One state more: a pipeline
 * that has failed and is drained gives what is left before its error.
 *
 * The end: weft_pipeline_close() says that nothing more comes in. It passes
 * through the stages behind the last item; the last worker of each stage
 * closes the channel after it.
 *
 * Failure: a stage fails when its function returns an error, or ends the task
 * with weft_task_exit() or pthread_exit(). What becomes of the others, on_error
 * says: what is inside is dropped, before and behind the stage that failed, or
 * only before it.
 *
 * Order: items keep theirs through a stage of one worker and through an ordered
 * stage, when the channels are FIFO.
 *
 * How much is inside: at most (stages + 1) * cap items wait in the channels, a
 * worker holds a batch, an ordered stage `window` batches; and no more than
 * `tokens` in all, where that is set. Behind that, senders wait.
 *
 * Any task of the run may call anything below at any time on a live pipeline,
 * within the senders and receivers that the implementation allows at the two
 * ends. No lock is held while a stage's function runs.
 */
#ifndef WEFT_PATTERNS_PIPELINE_H
#define WEFT_PATTERNS_PIPELINE_H

#include <stddef.h>
#include <stdint.h>

#include <weft/chan.h>
#include <weft/export.h>
#include <weft/patterns/component.h>

WEFT_BEGIN_DECLS

struct weft_ctx;
struct weft_pipeline;

/*
 * Make of one item one other, none, or several.
 *
 * in   the item, the function's from here on, whatever it returns; gone after
 *      the call.
 * out  where the results go: an array of as many as the stage's out_max. Only
 *      as many count as the function says.
 * arg  the stage's. Several workers call with the same one at once.
 *
 * Both are aligned as far as their sizes are multiples of a power of two, up
 * to WEFT_CACHE_LINE. Returns how many it has made, WEFT_SKIP (0) to out_max,
 * or -errno, which fails the pipeline. More than out_max is -EINVAL. May call
 * weft_pipeline_stop(), but no other function of its own pipeline.
 */
typedef int (*weft_stage_fn)(const void *in, void *out, void *arg);

enum weft_stage_mode {
	/* Any number of workers; what is done first goes on first. */
	WEFT_STAGE_PARALLEL,

	/* Any number of workers; what they make goes on in the order of what
	 * they took, all results of one item together. Works over channels of
	 * one sender and one receiver, too: the workers take turns. */
	WEFT_STAGE_ORDERED,

	/* One worker, and a promise: more are refused. */
	WEFT_STAGE_SERIAL,
};

/* One stage. Zero everywhere but in fn is the default. */
struct weft_stage {
	const char *name; /* of its tasks; NULL = "stage N", from 0 */
	weft_stage_fn fn;
	void *arg;
	enum weft_stage_mode mode;
	unsigned workers; /* 0 = 1 */
	size_t out_size;  /* bytes of what it emits; 0 = as what it takes */
	size_t out_max;   /* items that it makes of one, at most; 0 = 1 */

	/* Ordered: how many batches may have been taken and not passed on,
	 * because they are worked on or wait for an earlier one. 0 = twice
	 * the workers; with fewer than there are workers, some are idle. */
	size_t window;

	/* For what the stage has made and a stop has left in the pipeline; NULL
	 * when there is nothing to release. */
	void (*drop)(void *elem, void *drop_arg);
	void *drop_arg;
};

/* Zero everywhere but in elem_size is the default. */
struct weft_pipeline_opts {
	const struct weft_chan_impl *impl; /* NULL = handoff */
	size_t cap;                        /* of each channel */
	size_t elem_size;    /* bytes of what is sent in; may be 0 */
	size_t batch;        /* items a worker takes at a time; 0 = 1 */
	enum weft_wait wait; /* how workers and callers wait */
	size_t stack_bytes;  /* of each worker; 0 = the system's default */

	/* Items inside at most, from when they are sent until they are
	 * received; 0 = no limit. A stage that makes several items of one does
	 * not wait: senders do, until there are fewer than this again. So
	 * there are never more than this times the product of all out_max. */
	size_t tokens;

	/* WEFT_ON_ERROR_STOP or _DRAIN. */
	enum weft_on_error on_error;

	/* The end of this context stops the pipeline, which holds a reference;
	 * NULL for none. */
	struct weft_ctx *ctx;

	/* As drop of a stage, for what was sent in. */
	void (*drop)(void *elem, void *drop_arg);
	void *drop_arg;
};

/* One stage's figures. Exact at rest. */
struct weft_stage_stats {
	uint64_t in;   /* items given to its function */
	uint64_t out;  /* items it passed on */
	size_t queued; /* items in front of it */
	size_t held;   /* items of an ordered stage that are done but not out */
};

/* The most items that a stage may make of one. */
#define WEFT_STAGE_OUT_MAX 65536

/* The most workers in one stage. */
#define WEFT_STAGE_WORKERS_MAX 1024

/*
 * Make a pipeline and start its workers in the run of the caller. The stages
 * are copied; their arg stays the caller's and must outlive the pipeline.
 *
 * opts  NULL for the defaults (with items of 0 bytes).
 *
 * Returns 0; -EINVAL for NULL, no stages, a stage without function, of no known
 * mode, with too many workers for it (more than one in a serial stage) or too
 * large an out_max, an on_error that is not offered, what the implementation
 * refuses (capacity, size, more workers than senders or receivers), one that
 * moves no data, or outside of a run; -ENOMEM; -EAGAIN when the system has not
 * enough threads to give.
 */
WEFT_API WEFT_NODISCARD int
weft_pipeline_new(struct weft_pipeline **out, const struct weft_stage *stages,
                  size_t nstages, const struct weft_pipeline_opts *opts);

/*
 * Send one item in, waiting for a token and for space until `deadline_ns`.
 *
 * Returns 0; -EPIPE after weft_pipeline_close(); the reason of one that was
 * stopped or has failed; -ETIMEDOUT; -EINVAL for NULL; -ENOMEM from unbounded
 * channels. After an error the item is still the caller's.
 */
WEFT_API WEFT_NODISCARD int weft_pipeline_send(struct weft_pipeline *p,
                                               const void *elem,
                                               int64_t deadline_ns);

/* Send n items, in order. *done receives how many were sent; after an error the
 * rest is still the caller's. Otherwise as weft_pipeline_send(). */
WEFT_API WEFT_NODISCARD int weft_pipeline_send_many(struct weft_pipeline *p,
                                                    const void *elems, size_t n,
                                                    size_t *done,
                                                    int64_t deadline_ns);

/*
 * Receive one item of the last stage, waiting for it until `deadline_ns`.
 *
 * Returns 0; -EPIPE when the pipeline was closed and everything has come out;
 * the reason of one that was stopped or has failed; -ETIMEDOUT; -EINVAL for
 * NULL.
 */
WEFT_API WEFT_NODISCARD int weft_pipeline_recv(struct weft_pipeline *p,
                                               void *elem, int64_t deadline_ns);

/* Receive up to n items: wait for one, then take what is there. *done receives
 * how many. Otherwise as weft_pipeline_recv(). */
WEFT_API WEFT_NODISCARD int weft_pipeline_recv_many(struct weft_pipeline *p,
                                                    void *elems, size_t n,
                                                    size_t *done,
                                                    int64_t deadline_ns);

/* Nothing more will be sent: senders get -EPIPE, and the stages end when they
 * have worked off what is inside. Does not wait. Returns 0; -EPIPE when it was
 * closed, stopped or had failed before; -EINVAL for NULL. */
WEFT_API int weft_pipeline_close(struct weft_pipeline *p);

/* Stop at once: drop what is inside and release all waiting tasks. Workers end
 * when their function next returns. Does not wait; any number of times, from a
 * stage's function too. Returns 0, or -EINVAL for NULL. */
WEFT_API int weft_pipeline_stop(struct weft_pipeline *p);

/* The same for an error of the caller's, a source's or a sink's, also with
 * WEFT_ON_ERROR_DRAIN. Returns 0; -EINVAL for NULL, or an err that is not
 * negative. */
WEFT_API int weft_pipeline_fail(struct weft_pipeline *p, int err);

/*
 * Wait until all workers have ended. After weft_pipeline_close() that takes a
 * receiver of what comes out.
 *
 * Returns 0 when everything went through; the reason when it was stopped or has
 * failed; -ETIMEDOUT; -EINVAL for NULL.
 */
WEFT_API WEFT_NODISCARD int weft_pipeline_join(struct weft_pipeline *p,
                                               int64_t deadline_ns);

/* Figures of stage `stage`, from 0. Returns 0, or -EINVAL for NULL or a stage
 * that there is not. */
WEFT_API int weft_pipeline_stats(const struct weft_pipeline *p, size_t stage,
                                 struct weft_stage_stats *out);

/*
 * Stop the pipeline unless it has ended, wait for its workers, drop what is
 * left inside, and free it. NULL is ignored. Belongs to the run that made the
 * pipeline, and no other call on it may be under way; not to be called from a
 * stage's function.
 */
WEFT_API void weft_pipeline_free(struct weft_pipeline *p);

WEFT_END_DECLS

#endif
