/*
 * beat: a sign of life that costs one atomic store, and how long ago it was.
 *
 * A beat says that it came, not when: a clock costs more than the beat. The
 * watcher looks now and then, and reads the clock after it has seen a beat, so
 * that this came no later. To learn how long the silence is it reads the clock
 * first, and looks then. So a silence is never overstated; what it may lack is
 * the time between two looks.
 *
 *	now = weft_now();
 *	if (!beat_look(&watch, &beat) && beat_silence(&watch, now) >= limit)
 *		...
 *
 * One task beats and one watches at a time.
 */
#ifndef WEFT_PATTERNS_COMMON_BEAT_H
#define WEFT_PATTERNS_COMMON_BEAT_H

#include <stdint.h>

#include <weft/task.h>

#include "common/count.h"

/* All zero is one without a beat. Belongs in a cache line of the beater's. */
struct beat {
	_Atomic uint64_t count; /* written by the task that beats */
};

static inline void beat(struct beat *b)
{
	count_publish(&b->count, 1); /* [beat] */
}

static inline uint64_t beat_count(const struct beat *b)
{
	return weft_load_acquire(&b->count); /* [beat] */
}

/* The watcher's. All zero is one that has seen nothing: then nothing is
 * silent. */
struct beat_watch {
	uint64_t seen;    /* beats */
	int64_t since_ns; /* the look that saw the last one; 0: none */
};

/* Count silence from `now_ns` on, though there was no beat. */
static inline void beat_watch_from(struct beat_watch *w, int64_t now_ns)
{
	w->since_ns = now_ns;
}

/* Look. Returns how many beats are new. */
static inline uint64_t beat_look(struct beat_watch *w, const struct beat *b)
{
	uint64_t count = beat_count(b), more = count - w->seen;

	if (more)
		*w = (struct beat_watch){ count, weft_now() };
	return more;
}

/* For how long no look has seen a beat; 0 before the first. `now_ns` was read
 * before the last look, so a beat that came between the two was in time. */
static inline int64_t beat_silence(const struct beat_watch *w, int64_t now_ns)
{
	return w->since_ns ? now_ns - w->since_ns : 0;
}

#endif
