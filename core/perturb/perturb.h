/*
 * perturb: delays before synchronising operations, by a seed.
 *
 * Code built with -fsanitize=thread calls a function before each access. Linked
 * with libweft_perturb in place of the sanitizer's library it calls those of
 * tsan.c, and by --wrap its calls of pthreads, futex and weft's parking come
 * through wrap.c. All of them come here, where hooks decide what happens: a
 * random delay, unless others are set. What waits is delayed, and now and then
 * woken for no reason; what is read or written is not changed.
 *
 * Only what synchronises is delayed. A delay before another access could show
 * nothing that the thread sanitizer does not report.
 */
#ifndef WEFT_PERTURB_PERTURB_H
#define WEFT_PERTURB_PERTURB_H

#include <stdbool.h>
#include <stdint.h>

#include <weft/export.h>

enum perturb_kind {
	PERTURB_LOAD,
	PERTURB_STORE,
	PERTURB_RMW, /* exchange, compare and exchange, fetch and add, ... */
	PERTURB_FENCE,
	PERTURB_LOCK,   /* may wait for a lock */
	PERTURB_UNLOCK, /* or a post of a semaphore */
	PERTURB_WAIT,   /* waits for another task */
	PERTURB_WAKE,
	PERTURB_YIELD, /* lets others run, in a loop that waits */
};

/*
 * Who runs when. Each member may be NULL. They are called by the thread that is
 * about to do something, never from within each other.
 */
struct perturb_hooks {
	/* What is random begins anew. */
	void (*begin)(void *arg, uint64_t seed);

	/* Before an operation of that kind on *at, at a place in the code that
	 * is the same number in each process. */
	void (*before)(void *arg, enum perturb_kind kind, const void *at,
	               uintptr_t place);

	/* Around a call that may block the thread: between the two, a scheduler
	 * that lets one thread run at a time must let another one. */
	void (*blocks)(void *arg, enum perturb_kind kind, const void *at);
	void (*goes_on)(void *arg);

	/* Whether a wait that is about to begin returns at once, as each may:
	 * one for a condition has given up its mutex for a moment, one of weft
	 * or of a futex has no reason, another one was interrupted (EINTR). */
	bool (*wakes)(void *arg, const void *at, uintptr_t place);

	/* Before a plain access of so many bytes. */
	void (*access)(void *arg, bool writes, const void *at, unsigned bytes);

	void *arg;
};

/* NULL is the random delays again. Not while others are in a hook. */
WEFT_API void weft_perturb_set(const struct perturb_hooks *hooks);
typedef void weft_perturb_set_fn(const struct perturb_hooks *hooks);

/*
 * From here on delays follow from the seed: for each task from it, the task's
 * place in the order of spawning, and how many operations the task has made.
 * With 0 there are none, which is how it begins unless the environment has
 * WEFT_PERTURB=SEED.
 */
WEFT_API void weft_perturb_begin(uint64_t seed);
typedef void weft_perturb_begin_fn(uint64_t seed);

/* A number that sums up what was decided for the calling thread since then, and
 * how many operations that was about. */
WEFT_API uint64_t weft_perturb_trace(uint64_t *operations);
typedef uint64_t weft_perturb_trace_fn(uint64_t *operations);

/* --- for what is in between --- */

/* What weft/atomic.h calls, for code of weft's own; `kind` is one of the first
 * three. */
WEFT_API void weft_perturb_atomic(unsigned kind);

/* Before a synchronising operation. */
void weft_perturb_point(enum perturb_kind kind, const void *at,
                        const void *caller);

/* Whether a wait is to return at once. */
bool weft_perturb_wakes(const void *at, const void *caller);

/* Around a call that may block. */
void weft_perturb_blocks(enum perturb_kind kind, const void *at);
void weft_perturb_goes_on(void);

void weft_perturb_access(bool writes, const void *at, unsigned bytes);

#endif
