/*
 * pipeline: items flow through stages that work at the same time.
 *
 *	weft_pipeline_send -> chan -> stage 0 -> chan -> ... ->
 *weft_pipeline_recv
 *
 * Each stage has one or more workers, which are tasks of the pipeline, and a
 * channel of its own in front of it; one more channel holds what comes out of
 * the last stage. All of them are of the same implementation and capacity, so
 * at most (stages + 1) * cap items wait, and each worker holds a batch at most:
 * a slow stage, or nobody receiving, stops the senders.
 *
 *   state                       send        recv
 *   open                        0           0
 *   closed, items inside        -EPIPE      0
 *   closed, everything is out   -EPIPE      -EPIPE
 *   stopped                     -ECANCELED  -ECANCELED
 *   failed                      its error   its error
 *
 * The end: weft_pipeline_close() says that nothing more comes in. It passes
 * through the stages behind the last item; the last worker of each stage
 * closes the channel after it.
 *
 * Failure: a stage fails when its function returns an error, or ends the task
 * with weft_task_exit() (or pthread_exit()). That stops the pipeline, as
 * weft_pipeline_stop() does: what is inside is dropped, before and behind the
 * stage that failed, and everyone who waits is released. The first error is
 * the one that is reported.
 *
 * Order: items keep theirs through a stage of one worker, when the channels are
 * FIFO. Through a stage of several workers they do not.
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

struct weft_pipeline;

/* What a stage's function returns beside -errno. */
enum weft_stage_result {
	WEFT_STAGE_EMIT, /* pass *out on */
	WEFT_STAGE_SKIP, /* nothing comes of this item */
};

/*
 * Make one item of one item.
 *
 * in   the item, the function's from here on, whatever it returns; gone after
 *      the call.
 * out  where the result goes; counts only with WEFT_STAGE_EMIT.
 * arg  the stage's. Several workers call with the same one at once.
 *
 * Both are aligned as far as their sizes are multiples of a power of two, up
 * to WEFT_CACHE_LINE. Returns an enum weft_stage_result, or -errno, which
 * fails the pipeline (-EPIPE as well, but to who receives that looks like the
 * end; weft_pipeline_join() tells the difference). May call
 * weft_pipeline_stop(), but no other function of its own pipeline.
 */
typedef int (*weft_stage_fn)(const void *in, void *out, void *arg);

/* One stage. Zero everywhere but in fn is the default. */
struct weft_stage {
	const char *name; /* of its tasks; NULL = "stage N", from 0 */
	weft_stage_fn fn;
	void *arg;
	unsigned workers; /* 0 = 1 */
	size_t out_size;  /* bytes of what it emits; 0 = as what it takes */

	/* For what the stage has emitted and a stop has left in the pipeline;
	 * with the stage's arg. NULL when there is nothing to release. */
	void (*drop)(void *elem, void *arg);
};

/* Zero everywhere but in elem_size is the default. */
struct weft_pipeline_opts {
	const struct weft_chan_impl *impl; /* NULL = handoff */
	size_t cap;                        /* of each channel */
	size_t elem_size;    /* bytes of what is sent in; may be 0 */
	size_t batch;        /* items a worker takes at a time; 0 = 1 */
	enum weft_wait wait; /* of the channels */
	size_t stack_bytes;  /* of each worker; 0 = the system's default */

	/* As drop of a stage, for what was sent in. */
	void (*drop)(void *elem, void *drop_arg);
	void *drop_arg;
};

/* One stage's figures. Exact at rest. */
struct weft_stage_stats {
	uint64_t in;   /* items given to its function */
	uint64_t out;  /* items it passed on */
	size_t queued; /* items in front of it */
};

/* The most workers in one stage. */
#define WEFT_STAGE_WORKERS_MAX 1024

/*
 * Make a pipeline and start its workers in the run of the caller. The stages
 * are copied; their arg stays the caller's and must outlive the pipeline.
 *
 * opts  NULL for the defaults (with items of 0 bytes).
 *
 * Returns 0; -EINVAL for NULL, no stages, a stage without function or with too
 * many workers, what the implementation refuses (capacity, size, more workers
 * than senders or receivers), or outside of a run; -ENOMEM; -EAGAIN when the
 * system has not enough threads to give. On failure *out is untouched and
 * nothing is left behind.
 */
WEFT_API WEFT_NODISCARD int
weft_pipeline_new(struct weft_pipeline **out, const struct weft_stage *stages,
                  size_t nstages, const struct weft_pipeline_opts *opts);

/*
 * Send one item in, waiting for space until `deadline_ns`.
 *
 * Returns 0; -EPIPE after weft_pipeline_close(); the error of a pipeline that
 * failed, -ECANCELED of one that was stopped; -ETIMEDOUT; -EINVAL for NULL;
 * -ENOMEM from unbounded channels. After an error the item is still the
 * caller's.
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
 * the error of a pipeline that failed, -ECANCELED of one that was stopped (an
 * item that is on its way out at that moment may still be received);
 * -ETIMEDOUT; -EINVAL for NULL.
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

/*
 * Stop at once: drop what is inside and release everyone who waits. Workers
 * end when their function next returns. Does not wait, and may be called any
 * number of times, from a stage's function too. Returns 0, or -EINVAL for
 * NULL.
 */
WEFT_API int weft_pipeline_stop(struct weft_pipeline *p);

/*
 * Wait until all workers have ended. After weft_pipeline_close() that takes
 * somebody who receives what comes out.
 *
 * Returns 0 when everything went through; the first error of a stage;
 * -ECANCELED after weft_pipeline_stop(); -ETIMEDOUT; -EINVAL for NULL.
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

#endif
