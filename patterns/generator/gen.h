/*
 * generator: a stream of elements that are made when they are asked for.
 *
 *	body, array, range, ...  ->  take, map, filter, ...  ->  weft_gen_next
 *
 * Where elements come from: a body, which is a function in a task of its own
 * that yields one after the other (weft_gen_new); or a source that needs no
 * task (array, repeat, repeat_fn, range). Adapters (take, map, filter, chain,
 * zip, until, ahead) make a generator of others.
 *
 * Laziness. Sources and adapters do nothing but inside of weft_gen_next(). A
 * body runs ahead of its consumer, by what its channel holds and the one in its
 * yield: at most cap + 1 elements have not been asked for. With on_demand a
 * request goes to the body first, and it makes no element that was not asked
 * for. (batch makes both numbers larger, see there.)
 *
 *   state                      next        yield, in the body   join
 *   open                       0           0                    waits
 *   ended, elements left       0           -                    0
 *   ended, everything is out   -EPIPE      -                    0
 *   failed, elements left      0           -                    its error
 *   failed, everything is out  its error   -                    its error
 *   stopped                    -ECANCELED  -ECANCELED           -ECANCELED
 *   context ended              its error   its error            its error
 *
 * It ends as docs/components.md says, with two things of its own: the failure
 * of a body is the end of its stream, so it comes behind the elements that the
 * body has made; and it has ended in order when weft_gen_next() has said so.
 *
 * Failure: of a body or function that returns an error, or ends its task by
 * weft_task_exit() or pthread_exit(). A function that returns -EPIPE ends the
 * stream in order. However a generator ends, everything upstream of it is
 * stopped.
 *
 * Ownership: an adapter takes its inputs over when it is made. From then on
 * they are asked through it alone and freed with it, but weft_gen_stop() and
 * weft_gen_stats() may still be called on them. Elements that own something
 * have a drop function for those that nobody gets.
 *
 * Tasks: one consumer at a time, any task; a second one that calls in between
 * gets -EBUSY. Everything else may be called by any task of the run at any time
 * on a live generator. Functions given to sources and adapters run on the
 * consumer's task (behind an `ahead`, on its task); no lock is held meanwhile.
 *
 * Ordering: elements come out in the order in which they were made, over
 * channels that are FIFO. What a body wrote before it yielded an element is
 * visible to the task that gets it; what the consumer wrote before it asked, to
 * the body of an on_demand generator that makes the element.
 */
#ifndef WEFT_PATTERNS_GEN_H
#define WEFT_PATTERNS_GEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/chan.h>
#include <weft/ctx.h>
#include <weft/export.h>

WEFT_BEGIN_DECLS

struct weft_gen;

/* Zero everywhere is the default. */
struct weft_gen_opts {
	const struct weft_chan_impl *impl; /* NULL = handoff */
	size_t cap;                        /* of the channel, in elements */

	/* The body runs only while elements that were asked for are missing;
	 * not at all before the first weft_gen_next(). */
	bool on_demand;

	/*
	 * Elements that the consumer takes from the channel, or asks for, at a
	 * time, and hands out one by one; 0 = 1. They count as asked for, so
	 * there may be batch - 1 more ahead.
	 */
	size_t batch;

	enum weft_wait wait;  /* of the channel */
	size_t stack_bytes;   /* of the body's task; 0 = the system's default */
	const char *name;     /* of the body's task; NULL = "generator" */
	struct weft_ctx *ctx; /* its end stops the generator; NULL = none */

	/* For each element that was yielded and that nobody gets, on the body's
	 * task or in weft_gen_free(). NULL when there is nothing to release. */
	void (*drop)(void *elem, void *drop_arg);
	void *drop_arg;
};

/* Counts since the generator was made. Exact at rest. */
struct weft_gen_stats {
	uint64_t taken; /* elements that came out of it */

	/* Of one with a body; otherwise made is taken and the others are 0. */
	uint64_t made;  /* yielded */
	uint64_t ahead; /* the most of them that nobody had asked for yet */
	size_t cap;     /* of its channel, as the implementation rounded it */
};

/* --- bodies --- */

/*
 * Make the elements of a generator: by calls of weft_gen_yield(g), in a task of
 * its own.
 *
 * Returns 0 or -EPIPE when there are no more; -errno when it failed. When
 * weft_gen_yield() fails it should return soon; to return that error is no
 * failure.
 */
typedef int (*weft_gen_body)(struct weft_gen *g, void *arg);

/*
 * Make a generator with a body and start the body's task in the run of the
 * caller. Unless on_demand, the body starts at once.
 *
 * arg   the body's; must outlive the generator.
 * opts  NULL for the defaults.
 *
 * Returns 0; -EINVAL for NULL, an elem_size above WEFT_ELEM_MAX, what the
 * implementation refuses, one that is only unbounded without on_demand
 * (nothing would hold the body back), or outside of a run; -ENOMEM; -EAGAIN
 * when the system has no thread to give. On failure *out is untouched and the
 * body was not called.
 */
WEFT_API WEFT_NODISCARD int weft_gen_new(struct weft_gen **out,
                                         size_t elem_size, weft_gen_body body,
                                         void *arg,
                                         const struct weft_gen_opts *opts);

/*
 * Hand over the next element; in the body's task only. Waits for space, and
 * then, with on_demand, until another element is asked for.
 *
 * The element is the generator's from here on, whatever this returns, but for
 * -EINVAL and -EPERM.
 *
 * Returns 0; once the generator has ended, -ECANCELED or the error that it
 * ended with; -EPERM for any task but the body of g, and for the body once it
 * has returned; -ENOMEM from unbounded channels; -EINVAL for NULL.
 */
WEFT_API WEFT_NODISCARD int weft_gen_yield(struct weft_gen *g,
                                           const void *elem);

/* Hand over n elements in order, all of which count as made when it is called.
 * Otherwise as weft_gen_yield(). */
WEFT_API WEFT_NODISCARD int weft_gen_yield_many(struct weft_gen *g,
                                                const void *elems, size_t n);

/* How many elements the body is asked for at the moment; at least 1 until it is
 * stopped. SIZE_MAX without on_demand, 0 for any task but the body of g. */
WEFT_API size_t weft_gen_wanted(const struct weft_gen *g);

/*
 * --- sources without a task ---
 *
 * All return 0; -EINVAL for NULL, an elem_size above WEFT_ELEM_MAX, and as
 * said; -ENOMEM. On failure *out is untouched.
 */

/* The n elements of an array, which is copied: once, or over and over without
 * end. -EINVAL to repeat nothing. */
WEFT_API WEFT_NODISCARD int weft_gen_array(struct weft_gen **out,
                                           const void *elems, size_t n,
                                           size_t elem_size);
WEFT_API WEFT_NODISCARD int weft_gen_repeat(struct weft_gen **out,
                                            const void *elems, size_t n,
                                            size_t elem_size);

/* What fn writes to elem, one call for each element, until it returns -EPIPE
 * (the end) or -errno. Elements that own something: see weft_gen_set_drop(). */
WEFT_API WEFT_NODISCARD int weft_gen_repeat_fn(struct weft_gen **out,
                                               size_t elem_size,
                                               int (*fn)(void *elem, void *arg),
                                               void *arg);

/* The int64_t numbers from, from + step, ... up to, and without, `to`; down to
 * it when step is negative. None when `to` does not lie that way. -EINVAL for a
 * step of 0. */
WEFT_API WEFT_NODISCARD int weft_gen_range(struct weft_gen **out, int64_t from,
                                           int64_t to, int64_t step);

/*
 * --- adapters ---
 *
 * Each takes over the generators it is given; nobody may be in a call on them.
 *
 * All return 0; -EINVAL for NULL that has no meaning, and for sizes as said;
 * -EBUSY for an input that belongs to an adapter already (or stands twice among
 * the inputs); -ENOMEM. On failure *out is untouched and the inputs are still
 * the caller's.
 */

/* The first n elements, or all if there are fewer. Asks for no more than n, and
 * stops the input as soon as it has them; at once for 0. */
WEFT_API WEFT_NODISCARD int weft_gen_take(struct weft_gen **out,
                                          struct weft_gen *in, uint64_t n);

/*
 * What fn makes of each element.
 *
 * fn  reads `in`, which is its own from there on, however it ends, and writes
 *     `out`, out_size bytes (up to WEFT_ELEM_MAX). Returns 0; -EPIPE to end the
 *     stream here; -errno to fail it.
 */
WEFT_API WEFT_NODISCARD int
weft_gen_map(struct weft_gen **out, struct weft_gen *in, size_t out_size,
             int (*fn)(const void *in, void *out, void *arg), void *arg);

/*
 * The elements for which fn returns 1. For 0 the element is dropped; -EPIPE
 * ends the stream here, -errno fails it. Then and when fn ends its task the
 * element is dropped, too.
 *
 * next: -ETIMEDOUT also when its deadline has expired after an element was
 * turned away, even if another one is there: the search may be endless.
 */
WEFT_API WEFT_NODISCARD int
weft_gen_filter(struct weft_gen **out, struct weft_gen *in,
                int (*fn)(const void *elem, void *arg), void *arg);

/* The elements of the first input, then those of the second, and so on. An
 * input that fails or is stopped fails it all. -EINVAL for no inputs, for
 * elements of different sizes, or that are not dropped by the same function
 * with the same drop_arg: behind an ahead it is not known which input an
 * element is of. Of a zip that is a function of its own, unless
 * weft_gen_set_drop() says another. */
WEFT_API WEFT_NODISCARD int
weft_gen_chain(struct weft_gen **out, struct weft_gen *const *in, size_t n);

/*
 * The first elements of all inputs, back to back in one element, then the
 * second ones, and so on; it ends with the input that ends first. Elements of
 * the others that find no partner are dropped. No padding is put between them:
 * it is a struct where each size is a multiple of the next one's alignment.
 * -EINVAL for no inputs, or more than WEFT_ELEM_MAX bytes in all.
 */
WEFT_API WEFT_NODISCARD int weft_gen_zip(struct weft_gen **out,
                                         struct weft_gen *const *in, size_t n);

/* The same elements, until the context ends: then next fails with
 * weft_ctx_err(), also while it waits. For ctx, NULL is the background, which
 * never ends. Further errors: those of weft_ctx_after(). */
WEFT_API WEFT_NODISCARD int weft_gen_until(struct weft_gen **out,
                                           struct weft_gen *in,
                                           struct weft_ctx *ctx);

/* The same elements, asked for by a task of its own, ahead of the consumer as
 * the opts say; drop overrides that of the input. As a body it fails with what
 * its input fails with. Further errors: those of weft_gen_new(). */
WEFT_API WEFT_NODISCARD int weft_gen_ahead(struct weft_gen **out,
                                           struct weft_gen *in,
                                           const struct weft_gen_opts *opts);

/* What releases an element of g that nobody gets: for elements that a function
 * of repeat_fn or map made. Adapters otherwise use their inputs'. Before the
 * first next, and before g is given to an adapter. Returns 0, or -EINVAL for
 * NULL, and for what weft_gen_new() or weft_gen_ahead() made: their opts say
 * it. */
WEFT_API int weft_gen_set_drop(struct weft_gen *g,
                               void (*drop)(void *elem, void *drop_arg),
                               void *drop_arg);

/* --- using one --- */

/*
 * Get the next element, waiting for it until `deadline_ns`.
 *
 * elem  elem_size bytes; holds anything after an error.
 *
 * Returns 0; -EPIPE after the last element; the reason once stopped or failed;
 * -ETIMEDOUT, and nothing is lost; -EBUSY when another task is in this call, or
 * g belongs to an adapter; -EDEADLK when it is called from within itself: by a
 * body or a function upstream; -EINVAL for NULL.
 *
 * The deadline is for waiting. Sources do not wait: they and their functions
 * take the time they take.
 */
WEFT_API WEFT_NODISCARD int weft_gen_next(struct weft_gen *g, void *elem,
                                          int64_t deadline_ns);

/*
 * Stop: no more elements come, those inside are dropped, and all tasks that
 * wait upstream are released; bodies end when they next return. Does not wait,
 * and may be called at any time, any number of times, by bodies and functions
 * too. Returns 0, or -EINVAL for NULL.
 */
WEFT_API int weft_gen_stop(struct weft_gen *g);

/* Stop with an error, which weft_gen_next() then returns; -EIO in place of
 * -EAGAIN, -ETIMEDOUT and -EPIPE. Returns 0; -EINVAL for NULL or an `err` that
 * is not negative. */
WEFT_API int weft_gen_fail(struct weft_gen *g, int err);

/*
 * Wait until all bodies behind g have ended, by themselves or after a stop.
 *
 * Returns the reason, when g was stopped or has failed; the error of a body,
 * even if weft_gen_next() has not returned it yet (of the most downstream one,
 * when there are several); else 0; -ETIMEDOUT; -EDEADLK in one of these bodies;
 * -EINVAL for NULL.
 */
WEFT_API WEFT_NODISCARD int weft_gen_join(struct weft_gen *g,
                                          int64_t deadline_ns);

/* Figures of g, which may belong to an adapter. Returns 0, or -EINVAL for
 * NULL. */
WEFT_API int weft_gen_stats(const struct weft_gen *g,
                            struct weft_gen_stats *out);

/*
 * Stop g, wait for its bodies, drop what is left inside, and free it with all
 * its inputs. NULL is ignored. Belongs to the run that made it, and no other
 * call on it may be under way; aborts when g belongs to an adapter, or in a
 * body behind it.
 */
WEFT_API void weft_gen_free(struct weft_gen *g);

WEFT_END_DECLS

#endif
