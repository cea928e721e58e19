/* gen: what all kinds of generators have in common, among themselves. */
#ifndef WEFT_PATTERNS_GENERATOR_INTERNAL_H
#define WEFT_PATTERNS_GENERATOR_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <weft/task.h>

#include "common/watch.h"
#include "gen.h"

struct gen_body;

/* One kind of generator. Its state is a struct that begins with weft_gen. */
struct gen_kind {
	/*
	 * Make the next element, on the task whose turn it is. 0; -EPIPE when
	 * g is at its end; or what is wrong with this call alone, such as
	 * -ETIMEDOUT. See weft_gen_pull_input() and weft_gen_fail().
	 */
	int (*pull)(struct weft_gen *g, void *elem, int64_t deadline_ns);

	/* What releases an element that has no drop of its own. NULL: nothing
	 * does. */
	void (*drop)(struct weft_gen *g, void *elem);

	/* The task was ended inside of a function of g: drop the element that
	 * the function was looking at. NULL: it was the function's own. */
	void (*let_go)(struct weft_gen *g);

	/* Give back what belongs to this kind; after everyone has left, before
	 * the inputs go. It may be half made. NULL: nothing does. */
	void (*release)(struct weft_gen *g);
};

struct weft_gen {
	/* Constant once made. */
	const struct gen_kind *kind;
	size_t elem_size;
	struct weft_gen **inputs; /* owned */
	size_t ninputs;
	struct gen_body *body; /* of those that have one */
	bool calls;            /* runs functions of others on the consumer */
	void (*drop)(void *elem, void *drop_arg);
	void *drop_arg;
	struct watch watch; /* of the context, whose end stops g */

	_Atomic bool owned; /* by an adapter, which alone asks it */

	/*
	 * 0; why there are no more elements: -EPIPE in order, or an error. Set
	 * once, before anything is closed: who finds a channel closed finds
	 * the reason here.
	 */
	_Alignas(WEFT_CACHE_LINE) _Atomic int end;

	/* [turn] The task in weft_gen_next(), which has what follows. Inputs
	 * have no turn of their own: they go with their owner's. */
	_Atomic(struct weft_task *) turn;
	_Atomic(struct weft_task *) checked; /* is no body of ours */
	bool told;                           /* why g ended */
	_Atomic uint64_t taken;
};

/* Make a generator of `bytes`, zeroed, and take the inputs over. Errors as the
 * adapters have them. */
int weft_gen_make(struct weft_gen **out, const struct gen_kind *kind,
                  size_t bytes, size_t elem_size,
                  struct weft_gen *const *inputs, size_t n);

/* Undo weft_gen_make(): the inputs are the caller's again. */
void weft_gen_unmake(struct weft_gen *g);

/* From now on the end of the context stops g. NULL: nothing does. */
int weft_gen_attach(struct weft_gen *g, struct weft_ctx *ctx);

/* The next element of g, which the caller has the turn of. As weft_gen_next().
 */
int weft_gen_pull(struct weft_gen *g, void *elem, int64_t deadline_ns);

/* The next element of an input, for the pull of g. When the input fails, g
 * fails with it: -EPIPE, and g->end is set. The end of the input in order is
 * -EPIPE, too. */
int weft_gen_pull_input(struct weft_gen *g, size_t input, void *elem,
                        int64_t deadline_ns);

/* A function of g has returned `err`, which is not what it should. Returns
 * -EPIPE. */
int weft_gen_fail(struct weft_gen *g, int err);

/* There are no more elements, because of `why`; stop everything upstream. The
 * first end counts. By any task. */
void weft_gen_end(struct weft_gen *g, int why);

/* Nobody gets this element of g. */
void weft_gen_drop(struct weft_gen *g, void *elem);

/* The task that had the turn of g was ended inside of a function, which may
 * have had an element in its hands that nobody gets. */
void weft_gen_let_go(struct weft_gen *g);

/* The drop of a kind whose elements are those of its first input; with several
 * inputs they must be dropped alike. */
void weft_gen_drop_as_input(struct weft_gen *g, void *elem);

/* Whether it makes no difference which of the two an element is dropped by. */
bool weft_gen_drop_alike(const struct weft_gen *a, const struct weft_gen *b);

/* memcpy(), but nothing may come from nowhere. */
static inline void gen_copy(void *to, const void *from, size_t bytes)
{
	if (bytes)
		memcpy(to, from, bytes);
}

/* --- body.c: those with a task --- */

/* Release whoever waits: g->end is set. */
void weft_gen_body_stop(struct gen_body *b);

/* Wait until it has ended: 0, or -ETIMEDOUT. Then there is a result: 0, or what
 * it failed with. */
int weft_gen_body_join(struct gen_body *b, int64_t deadline_ns);
int weft_gen_body_result(const struct gen_body *b);

/* Whether it runs in this task. */
bool weft_gen_body_runs_in(const struct gen_body *b,
                           const struct weft_task *task);

/* All but taken. */
void weft_gen_body_stats(const struct gen_body *b, struct weft_gen_stats *out);

#endif
