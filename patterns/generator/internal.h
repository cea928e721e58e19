/* gen: what all kinds of generators have in common, among themselves. */
#ifndef WEFT_PATTERNS_GENERATOR_INTERNAL_H
#define WEFT_PATTERNS_GENERATOR_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <weft/task.h>

#include "common/ending.h"
#include "gen.h"

/* One kind of generator. */
struct gen_kind {
	size_t bytes;   /* of its state, a struct that begins with weft_gen */
	bool calls;     /* runs functions of others on the consumer */
	bool passes_on; /* its elements are those of its inputs */

	/*
	 * Make the next element, on the task whose turn it is. 0; -EPIPE when
	 * g is at its end; or what is wrong with this call alone, such as
	 * -ETIMEDOUT. See weft_gen_pull_input() and weft_gen_failed().
	 */
	int (*pull)(struct weft_gen *g, void *elem, int64_t deadline_ns);

	/* The task was ended inside of a function of g: drop the element that
	 * the function was looking at. NULL: it was the function's own. */
	void (*drop_held)(struct weft_gen *g);

	/* Give back what belongs to this kind; after everyone has left, before
	 * the inputs go. It may be half made. NULL: nothing does. */
	void (*release)(struct weft_gen *g);

	/* The rest is of kinds with a task of their own; NULL of the others. */
	const struct gen_task_ops *task;
};

struct gen_task_ops {
	/* Wake the task, and the consumer: g->end is set. */
	void (*stop)(struct weft_gen *g);

	/* Wait until the task has ended: 0, or -ETIMEDOUT. *error becomes what
	 * it has failed with, unless that is set already. */
	int (*join)(struct weft_gen *g, int64_t deadline_ns, int *error);

	bool (*runs_in)(const struct weft_gen *g, const struct weft_task *task);

	/* All but taken. */
	void (*stats)(const struct weft_gen *g, struct weft_gen_stats *out);
};

struct weft_gen {
	/* Constant once made. */
	const struct gen_kind *kind;
	size_t elem_size;
	struct weft_gen **inputs; /* owned */
	size_t ninputs;
	/* Of an element that nobody gets; NULL: there is nothing to release. */
	void (*drop)(void *elem, void *drop_arg);
	void *drop_arg;
	bool calls;          /* of its own, or of an input without a task */
	unsigned char *room; /* the kind's own, in cache lines of their own */

	_Atomic bool owned; /* by an adapter, which alone asks it */

	/* Why there are no more elements; -EPIPE is the end in order. */
	_Alignas(WEFT_CACHE_LINE) struct weft_ending end;

	/* [turn] The task in weft_gen_next(), which has what follows. Inputs
	 * have no turn of their own: they go with their owner's. */
	_Atomic(struct weft_task *) turn;
	_Atomic(struct weft_task *) checked; /* is no body of ours */
	_Atomic uint64_t taken;
};

/* Make a generator, zeroed, with `room` bytes that are the kind's, and take the
 * inputs over. Errors as the adapters have them. */
int weft_gen_make(struct weft_gen **out, const struct gen_kind *kind,
                  size_t elem_size, size_t room, struct weft_gen *const *inputs,
                  size_t n);

/* Undo weft_gen_make(): the inputs are the caller's again. */
void weft_gen_unmake(struct weft_gen *g);

/* The next element of g, which the caller has the turn of. As weft_gen_next().
 */
int weft_gen_pull(struct weft_gen *g, void *elem, int64_t deadline_ns);

/* The next element of an input, for the pull of g. When the input was stopped
 * or has failed, g fails with it. The end of the input in order is -EPIPE. */
int weft_gen_pull_input(struct weft_gen *g, size_t input, void *elem,
                        int64_t deadline_ns);

/* A function of g has returned `err`, which is no result: -EPIPE, the end in
 * order; or a failure. Returns what the caller gets. */
int weft_gen_failed(struct weft_gen *g, int err);

/* There are no more elements, because of `why`; stop everything upstream. The
 * first end counts. By any task. */
void weft_gen_end(struct weft_gen *g, int why);

/* Nobody gets this element of g. */
static inline void gen_drop(const struct weft_gen *g, void *elem)
{
	if (g->drop)
		g->drop(elem, g->drop_arg);
}

/* Drop what functions of g and its inputs were looking at: the task that had
 * the turn of g was ended inside of one. */
void weft_gen_drop_held(struct weft_gen *g);

/* memcpy() with a NULL source is undefined even for 0 bytes. */
static inline void gen_copy(void *to, const void *from, size_t bytes)
{
	if (bytes)
		memcpy(to, from, bytes);
}

/* What a function is reported with that returned `err`, or gave it to
 * weft_task_exit(). */
static inline int gen_failure_of(int err)
{
	if (err > 0)
		return -EINVAL;
	return err == -EPIPE ? err : weft_failure_of(err);
}

#endif
