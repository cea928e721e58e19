/* internal: what the files of the resource pool share. */
#ifndef WEFT_PATTERNS_RESOURCE_POOL_INTERNAL_H
#define WEFT_PATTERNS_RESOURCE_POOL_INTERNAL_H

#include <stdbool.h>

#include <weft/atomic.h>
#include <weft/sync.h>
#include <weft/task.h>

#include "base/cacheline.h"
#include "base/check.h"
#include "base/list.h"
#include "common/crew.h"
#include "common/ending.h"
#include "respool.h"

/* How far a place is. In all but FREE and IDLE it is one task's alone. */
enum place_state { FREE, CREATING, IDLE, HELD, DESTROYING, STATES };

/* Where one resource can be. Under the lock of the pool, but for `res` and
 * `generation` while the place is one task's. */
struct place {
	/* In the list of its state, in that of what is doomed, or in none. */
	_Alignas(WEFT_CACHE_LINE) struct list link;
	enum place_state state;
	bool told; /* that it is held for long */
	void *res;
	uint64_t id, generation;
	uint64_t hold;   /* the number of its hold; 0: no holder has it */
	int64_t since;   /* when it was acquired, or became idle */
	int64_t expires; /* or WEFT_FOREVER */
	char who[WEFT_RESPOOL_NAME_BYTES];
};

struct weft_respool {
	/* Constant once made. */
	struct weft_respool_opts opts;
	struct place *places; /* opts.max of them */
	bool timed;           /* it matters when one becomes idle */

	struct weft_ending end;
	_Atomic bool closed; /* written under the lock */

	_Alignas(WEFT_CACHE_LINE) _Atomic uint32_t locked;

	/* Under the lock. While anybody stands in line, nothing is idle and no
	 * place is free. */
	struct list idle; /* the last released first */
	struct list free;
	struct list doomed; /* to be destroyed by the next caller */
	struct list line;   /* of struct waiting */
	unsigned n[STATES]; /* places in each state */
	uint64_t holds, generation;
	struct weft_respool_stats stats; /* without what is in n */
	int64_t nap_until; /* of the reaper; INT64_MIN: it is awake, or none */

	struct weft_waiters gone; /* for the end of all: joins */
	struct weft_waiters nap;  /* the reaper's */
	_Atomic bool nudged;      /* it is to look again */
	struct weft_crew crew;    /* the reaper, if there is one */
	struct weft_crew_member reaper;
};

/* What is called for a place that is the caller's. */
enum callback { CREATE, DESTROY, VALIDATE, RESET };

/* A lock of one word, whose release is a plain store: half the price of a
 * weft_lock, of which an acquire and a release of a resource are made. Held for
 * a few dozen instructions, but for walks over all places. */
static inline void respool_lock(struct weft_respool *p)
{
	for (unsigned turn = 0;; turn++) {
		uint32_t open = 0;

		/* [lock] acquires what the last respool_unlock() released. */
		if (weft_load_relaxed(&p->locked) == 0 &&
		    weft_cas_weak_acquire(&p->locked, &open, 1u))
			return;
		weft_relent(turn);
	}
}

static inline void respool_unlock(struct weft_respool *p)
{
	weft_store_release(&p->locked, 0u); /* [lock] */
}

/* --- under the lock --- */

/* 0 while it is open; the reason, or -EPIPE. Needs no lock. */
int weft_respool_over(void *pool);

/* Change the state of a place that is in no list. */
static inline void place_move(struct weft_respool *p, struct place *place,
                              enum place_state to)
{
	p->n[place->state]--;
	p->n[to]++;
	place->state = to;
}

/* Those with a resource that may be used, or soon. */
static inline unsigned respool_live(const struct weft_respool *p)
{
	return p->n[CREATING] + p->n[IDLE] + p->n[HELD];
}

/* A free place, to create in; NULL. */
struct place *weft_respool_take_free(struct weft_respool *p);

/*
 * Hand on a resource that nobody holds: to the first in line, or to the idle
 * ones. False when it is not wanted: then it is the caller's to destroy.
 */
WEFT_NODISCARD bool weft_respool_put(struct weft_respool *p,
                                     struct place *place, int64_t now);

/* The reaper is to look at that time at the latest. */
void weft_respool_nudge(struct weft_respool *p, int64_t due_ns);

/* Have those of the idle ones destroyed for which which() is true: see
 * weft_respool_destroy_doomed(). Returns how many. */
unsigned weft_respool_doom(struct weft_respool *p,
                           bool (*which)(const struct weft_respool *p,
                                         const struct place *place,
                                         int64_t now),
                           int64_t now);

/* --- outside of it --- */

/* Create in this place, which then has a resource and no holder, in state HELD.
 * 0 or why not, and then the place is another's. */
WEFT_NODISCARD int weft_respool_create(struct weft_respool *p,
                                       struct place *place);

/* Destroy what is in this place, in state DESTROYING, and give the place to
 * another. */
void weft_respool_destroy_place(struct weft_respool *p, struct place *place);

/* Destroy what is doomed. */
void weft_respool_destroy_doomed(struct weft_respool *p);

/* Destroy all that is idle. */
void weft_respool_clear(struct weft_respool *p);

/* Tell on_leak(). */
void weft_respool_tell(struct weft_respool *p,
                       const struct weft_respool_holder *holder);

/* What is known of a place that is held; under the lock. */
struct weft_respool_holder weft_respool_holder_of(const struct place *place,
                                                  int64_t now);

/* Start the reaper, if there is anything for it to do. As weft_crew_start(). */
WEFT_NODISCARD int weft_respool_start_reaper(struct weft_respool *p);

#endif
