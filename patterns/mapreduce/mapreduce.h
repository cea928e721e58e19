/*
 * mapreduce: inputs become pairs of a key and a value, and all values of a key
 * one result.
 *
 *	send --> map --> combine --> partition --> reduce --> recv
 *
 * Workers take inputs from a channel and call map() for each, which emits any
 * number of pairs. A pair goes into the partition of its key; a combiner, where
 * there is one, makes one value of two while they are there. When the entrance
 * was closed and all inputs are mapped, the partitions are dealt to the
 * reducers, each key with all of its values; what reduce() makes of them comes
 * out of weft_mapreduce_recv(), in the order of the keys or as it is made.
 *
 * With fold() instead of reduce() nothing is grouped: the values of the inputs
 * are folded into one result while mapping goes on, one at a time and in the
 * order of the inputs. That serves operations that do not commute.
 *
 *   state                 send            recv         close   join
 *   open                  0, or waits     waits        0       waits
 *   closed, mapping       -EPIPE          waits        -EPIPE  waits
 *   results inside        -EPIPE          0, or waits  -EPIPE  waits, 0
 *   all received          -EPIPE          -EPIPE       -EPIPE  0
 *   stopped               -ECANCELED      -ECANCELED   -EPIPE  -ECANCELED
 *   failed                its error       its error    -EPIPE  its error
 *   its context ended     weft_ctx_err()  the same     -EPIPE  the same
 *
 * In the last three states inputs are not mapped any more and nothing is
 * reduced; a call of map() that is under way learns of it from its next emit.
 * Sends fail at once, so whatever makes the inputs comes to its end.
 *
 * Order: inputs are mapped in any order, and the values of a key come to
 * reduce() in any order. What was written before a send is visible to map(),
 * and what map() and reduce() wrote is visible to recv.
 *
 * Callbacks run in tasks of the component and may end their task with
 * weft_task_exit() or pthread_exit(), which fails the component; of several
 * failures the first stays. combine() is an exception to the rule that they run
 * outside of locks: in shared partitions it runs under theirs.
 *
 * Memory: all keys, and all values that were not combined, until free. Keys are
 * copied once for each worker that emits them.
 *
 * Any task or foreign thread may call anything below at any time on a live
 * component. After Phoenix (MapReduce for shared memory) and go-zero's mr.
 */
#ifndef WEFT_PATTERNS_MAPREDUCE_H
#define WEFT_PATTERNS_MAPREDUCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/chan.h>
#include <weft/ctx.h>
#include <weft/export.h>
#include <weft/patterns/component.h>

WEFT_BEGIN_DECLS

struct weft_mapreduce;

/* The worker that calls map(): where pairs are emitted to. */
struct weft_mapreduce_worker;

/* Bytes in somebody else's memory. */
struct weft_slice {
	const char *at;
	size_t bytes;
};

/* A result. Both point into the component and stay until it is freed. */
struct weft_mapreduce_pair {
	struct weft_slice key; /* empty for the result of a fold */
	const void *value;     /* out_size bytes, aligned to 8 */
};

enum weft_mapreduce_shuffle {
	/* Each worker has partitions of its own, which are joined when all is
	 * mapped: an emit takes no lock. */
	WEFT_SHUFFLE_LOCAL,
	/* All workers share the partitions, each of which has a lock. */
	WEFT_SHUFFLE_SHARDED,
	/* The same with one lock for all: one map and one lock. */
	WEFT_SHUFFLE_LOCKED,
};

#define WEFT_MAPREDUCE_WORKERS_MAX 1024
#define WEFT_MAPREDUCE_PARTITIONS_MAX 65536
/* Where each worker has partitions of its own, all of them together. */
#define WEFT_MAPREDUCE_TABLES_MAX (1u << 22)

/*
 * Zero everywhere is the default, but for workers, map(), and one of reduce(),
 * combine() and fold().
 */
struct weft_mapreduce_opts {
	const struct weft_chan_impl *impl; /* of the inputs; NULL: handoff */
	size_t cap;
	size_t elem_size;  /* bytes of an input */
	size_t value_size; /* bytes of a value */
	size_t out_size;   /* bytes of a result; 0 = value_size */
	enum weft_wait wait;
	size_t stack_bytes;
	struct weft_ctx *ctx;

	unsigned workers;    /* that map, 1 to WEFT_MAPREDUCE_WORKERS_MAX */
	unsigned reducers;   /* that reduce; 0 = as many */
	unsigned partitions; /* 0 = 4 for each reducer */
	enum weft_mapreduce_shuffle shuffle;
	bool sorted; /* results in the order of their keys, as memcmp() has it,
	                a key before those that it begins; else as they are
	                made */

	/*
	 * Map an input: emit any number of pairs, to `to`.
	 *
	 * elem  the worker's copy, gone after the call. What it refers to is
	 *       the function's now, whatever it returns.
	 *
	 * Returns 0, or -errno, which fails the component.
	 */
	int (*map)(struct weft_mapreduce_worker *to, const void *elem,
	           void *arg);

	/*
	 * Make one value of two of the same key, in *into, as reduce() would:
	 * in any order and grouping. Must neither wait nor call the component.
	 * NULL: all values are kept.
	 */
	void (*combine)(void *into, const void *value, void *arg);

	/*
	 * Make the result of a key of all its values; with a combiner, of what
	 * that has made of them for each worker. Called once for each key.
	 *
	 * values  n >= 1 of them one behind the other, gone after the call
	 * out     for the result, all zero
	 *
	 * Returns WEFT_EMIT; WEFT_SKIP, and then the key has no result;
	 * -errno, which fails the component, as anything else does with
	 * -EINVAL. NULL: the result is what combine() has made of them, and
	 * out_size is value_size.
	 */
	int (*reduce)(struct weft_slice key, const void *values, size_t n,
	              void *out, void *arg);

	/* The partition of a key, in [0, n), the same for equal keys. What is
	 * outside fails the component with -ERANGE. NULL: by a hash. */
	size_t (*partition)(struct weft_slice key, size_t n, void *arg);

	/*
	 * Instead of the above: fold a value into *acc, out_size bytes that are
	 * zero at first. One call at a time, by whichever worker has come to
	 * it. Returns 0, or -errno, which fails the component. There is one
	 * result, also of no inputs.
	 *
	 * Then a call of map() emits at most one value, and its key means
	 * nothing; value_size is not 0, and `window` bounds how many values
	 * wait for one before them: a worker that is so far ahead waits.
	 */
	int (*fold)(void *acc, const void *value, void *arg);
	bool unordered; /* fold values as they are made, not in the order of
	                   the inputs */
	size_t window;  /* 0 = 4 for each worker */

	void *arg; /* of all of them */

	/* Release what nobody gets: an input that was not mapped, a value that
	 * came neither to combine() or fold() nor to reduce(), a result that
	 * was not received, or not finished by a fold. Each exactly once,
	 * outside of locks. */
	void (*drop_in)(void *elem, void *drop_arg);
	void (*drop_value)(void *value, void *drop_arg);
	void (*drop_out)(void *out, void *drop_arg);
	void *drop_arg;
};

/* Exact at rest. Times in ns: mapping and merging as they passed, what
 * reducers do side by side added up. */
struct weft_mapreduce_stats {
	uint64_t inputs;       /* that map() was called for */
	uint64_t emitted;      /* pairs, or values to be folded */
	uint64_t emitted_most; /* by one worker */
	uint64_t held;         /* values that the combiner has left, or all */
	uint64_t bytes;        /* of keys, values and tables */
	uint64_t keys;         /* different ones */
	uint64_t results;      /* that were made */
	uint64_t received;     /* of them */
	int64_t map_ns;     /* from the first input taken to the last mapped */
	int64_t shuffle_ns; /* joining the workers' partitions */
	int64_t reduce_ns;
	int64_t sort_ns;
	int64_t merge_ns; /* the sorted partitions into one */
};

/*
 * Make one, and start its workers, in the run of the caller.
 *
 * Returns 0, also for a context that has ended, and then it is stopped; -EINVAL
 * for NULL, for options that are out of range or do not go together, for an
 * implementation that moves no data or has not room for so many receivers;
 * -ENOMEM; -EAGAIN: no thread to be had. On failure *out is untouched.
 */
WEFT_API WEFT_NODISCARD int
weft_mapreduce_new(struct weft_mapreduce **out,
                   const struct weft_mapreduce_opts *opts);

/* Stop it unless it has ended, wait for its workers, drop what is left inside.
 * NULL is ignored. No other call may be under way. */
WEFT_API void weft_mapreduce_free(struct weft_mapreduce *m);

/*
 * Hand in an input, of elem_size bytes. Returns 0; the reason; -EPIPE when it
 * was closed; -ETIMEDOUT; -EINVAL for NULL; -ENOMEM from unbounded channels.
 * After an error the input is still the caller's.
 */
WEFT_API WEFT_NODISCARD int weft_mapreduce_send(struct weft_mapreduce *m,
                                                const void *elem,
                                                int64_t deadline_ns);

/* The same without waiting: -EAGAIN instead of -ETIMEDOUT. */
WEFT_API WEFT_NODISCARD int weft_mapreduce_try_send(struct weft_mapreduce *m,
                                                    const void *elem);

/*
 * Hand in a text, in pieces of about `bytes` that end between words: inputs
 * that are struct weft_slice, as weft_slice_cut() makes them. The text stays
 * the caller's, until all is mapped.
 *
 * text  what has not been handed in when this returns, nothing after 0
 *
 * Returns as weft_mapreduce_send(); -EINVAL also for a `bytes` of 0, or inputs
 * of another size than a slice's.
 */
WEFT_API WEFT_NODISCARD int weft_mapreduce_split(struct weft_mapreduce *m,
                                                 struct weft_slice *text,
                                                 size_t bytes,
                                                 const unsigned char *word,
                                                 int64_t deadline_ns);

/*
 * Emit a pair, from within map().
 *
 * key    copied, unless there is that key already; may be empty
 * value  value_size bytes, copied; may be NULL when that is 0
 *
 * Returns 0; the reason once the component has ended, and nothing is emitted
 * any more; -EINVAL for NULL; and, which fail the component, -ENOMEM, -ERANGE
 * from partition(), and -EOVERFLOW for a second value of an input that is to be
 * folded. After an error the value is still the caller's.
 */
WEFT_API WEFT_NODISCARD int
weft_mapreduce_emit(struct weft_mapreduce_worker *to, struct weft_slice key,
                    const void *value);

/* Which of the workers that is, in [0, workers): two calls of map() at a time
 * never have the same. 0 for NULL. */
WEFT_API unsigned
weft_mapreduce_worker_id(const struct weft_mapreduce_worker *w);

/*
 * The next result. Waits until all has been mapped, at least.
 *
 * Returns 0; the reason; -EPIPE when all have been received; -ETIMEDOUT;
 * -EINVAL for NULL.
 */
WEFT_API WEFT_NODISCARD int weft_mapreduce_recv(struct weft_mapreduce *m,
                                                struct weft_mapreduce_pair *out,
                                                int64_t deadline_ns);

/* The same without waiting: -EAGAIN instead of -ETIMEDOUT. */
WEFT_API WEFT_NODISCARD int
weft_mapreduce_try_recv(struct weft_mapreduce *m,
                        struct weft_mapreduce_pair *out);

/* Nothing more comes in; what is inside is mapped and reduced. Does not wait.
 * Returns 0; -EPIPE when it was closed, stopped or had failed before; -EINVAL
 * for NULL. */
WEFT_API int weft_mapreduce_close(struct weft_mapreduce *m);

/* Stop at once: nothing is mapped or reduced any more, and all waiting tasks
 * are released. Any number of times; changes nothing when all results have
 * been received. Returns 0, or -EINVAL for NULL. */
WEFT_API int weft_mapreduce_stop(struct weft_mapreduce *m);

/* The same for an error of the caller's, from within a callback too. The first
 * reason stays. Returns 0; -EINVAL for NULL, or an err that is not negative.
 * -EAGAIN, -ETIMEDOUT and -EPIPE become -EIO. */
WEFT_API int weft_mapreduce_fail(struct weft_mapreduce *m, int err);

/* Wait until its tasks have ended. Returns 0: all was mapped and reduced; the
 * reason; -ETIMEDOUT; -EINVAL for NULL. Not from within a callback. */
WEFT_API WEFT_NODISCARD int weft_mapreduce_join(struct weft_mapreduce *m,
                                                int64_t deadline_ns);

/* Figures. Returns 0, or -EINVAL for NULL. */
WEFT_API int weft_mapreduce_stats(const struct weft_mapreduce *m,
                                  struct weft_mapreduce_stats *out);

/*
 * --- words ---
 *
 * A table of 256 says which bytes are of words: those whose entry is not 0.
 * NULL stands for all but the white space of ASCII.
 */

/* A to Z and a to z. */
WEFT_API extern const unsigned char weft_slice_letters[256];

/* What NULL stands for. */
WEFT_API extern const unsigned char weft_slice_not_spaces[256];

/* Cut the first `bytes` bytes off, and those that belong to the word in which
 * that ends: so no word is cut, and a piece may be as long as the longest word
 * is. All of it when there is no more; nothing of NULL. */
WEFT_API struct weft_slice weft_slice_cut(struct weft_slice *text, size_t bytes,
                                          const unsigned char *word);

/* Take the next word off. False when there is none. `word` is not NULL. */
static inline bool weft_slice_word(struct weft_slice *text,
                                   const unsigned char *word,
                                   struct weft_slice *out)
{
	const char *at = text->at, *end = at + text->bytes, *begin;

	while (at < end && !word[(unsigned char)*at])
		at++;
	begin = at;
	while (at < end && word[(unsigned char)*at])
		at++;
	text->at = at;
	text->bytes = (size_t)(end - at);
	out->at = begin;
	out->bytes = (size_t)(at - begin);
	return out->bytes > 0;
}

WEFT_END_DECLS

#endif
