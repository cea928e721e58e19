/*
 * beat: a sign of life that costs one atomic store, and how long ago it was.
 *
 * A beat says that it came, not when: a clock costs more than the beat. The
 * watcher, who looks now and then, knows that a beat which it has not seen
 * before came no later than its look. So a silence is never overstated: it
 * lasts at least as long as beat_silence() says, and that is short of it by at
 * most the time between two looks.
 *
 * One task beats and one watches at a time.
 */
#ifndef WEFT_PATTERNS_COMMON_BEAT_H
#define WEFT_PATTERNS_COMMON_BEAT_H

#include <stdint.h>

#include <weft/atomic.h>

/* All zero is one without a beat. Belongs in a cache line of the beater's. */
struct beat {
	_Atomic uint64_t count; /* written by the task that beats */
};

static inline void beat(struct beat *b)
{
	weft_store_release(&b->count, /* [beat] */
	                   weft_load_relaxed(&b->count) + 1);
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

/* Look at `count` beats, read after `now_ns` was: so one that comes between the
 * two is not taken for missing. Returns how many are new. */
static inline uint64_t beat_look(struct beat_watch *w, uint64_t count,
                                 int64_t now_ns)
{
	uint64_t more = count - w->seen;

	if (more)
		*w = (struct beat_watch){ count, now_ns };
	return more;
}

/* For how long no look has seen a beat; 0 before the first. */
static inline int64_t beat_silence(const struct beat_watch *w, int64_t now_ns)
{
	return w->since_ns ? now_ns - w->since_ns : 0;
}

#endif
