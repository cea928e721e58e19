/*
 * The bus inside: topics, subscribers, and what links them.
 *
 * All of it is under the lock of the bus, but for what is atomic, what belongs
 * to the one task that receives, and what is constant once made.
 */
#ifndef WEFT_PATTERNS_PUB_SUB_INTERNAL_H
#define WEFT_PATTERNS_PUB_SUB_INTERNAL_H

#include <errno.h>
#include <stdlib.h>

#include <weft/atomic.h>
#include <weft/sync.h>
#include <weft/task.h>

#include "base/cacheline.h"
#include "base/list.h"
#include "bus.h"
#include "common/ending.h"

/*
 * The ring of a topic. Message n is in slot n % cap, whose number is n + 1
 * while it is whole; readers look at that before and after they copy it.
 */
struct ring {
	/* Constant once made. */
	unsigned char *slots;
	size_t slot_bytes, elem_size;
	uint64_t cap; /* a power of two */
	bool asks;    /* otherwise all of them make room all the time */

	uint64_t oldest; /* no subscriber that blocks is behind this */

	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t tail; /* the next message */
	struct weft_waiters room;
};

struct topic {
	struct list link; /* in the table; unlinked once it is gone */
	uint64_t key;
	struct list members; /* in the order in which they joined */
	size_t joined;       /* of them, those that messages go to */
	size_t refs;         /* memberships, and publishes that wait */
	struct ring ring;
};

/* A subscriber's in a topic. */
struct membership {
	struct list in_topic, in_sub;
	struct topic *topic;
	struct weft_sub *sub;
	uint64_t id; /* members that joined later have higher ones */
	size_t refs; /* the subscriber's, and publishes that wait */
	bool joined; /* messages go to it */

	_Atomic bool left;   /* with queues: do not wait for it */
	struct list in_view; /* the receiver's */

	/* Of a ring: the next message, written by the receiver; and the one not
	 * to be read any more, UINT64_MAX while joined. A publish that has no
	 * room is woken when the cursor comes to `wanted`. */
	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t cursor;
	_Atomic uint64_t end, wanted;
};

struct weft_sub {
	struct weft_bus *bus;
	struct weft_sub_opts opts;
	struct list link;
	struct list memberships;
	size_t topics; /* joined */
	size_t refs;   /* the caller's, and its memberships */
	bool ended;    /* the end has been seen */

	_Atomic bool closed; /* nothing more comes in */
	_Atomic int cut;     /* what is said at the end: 0 is -EPIPE */
	_Atomic uint64_t missed, told;

	struct weft_chan *queue;   /* NULL with a ring */
	struct weft_waiters ready; /* queue: for room; ring: for messages */

	/* Of a ring: the memberships that the receiver reads, and whether it
	 * has to look which those are. */
	struct list view;
	struct membership *only; /* if there is but one, and it is open */
	size_t elem_size;
	_Atomic bool changed;
};

/* What one call publishes. */
struct publication {
	const unsigned char *elems;
	size_t n;
	int64_t deadline_ns;
	size_t done; /* of them, that went out */
	int got;     /* to how many, the last of them */
};

struct weft_bus {
	struct weft_bus_opts opts;
	struct weft_ending end;
	struct weft_lock lock;
	struct list *table; /* of topics; a power of two of lists */
	size_t buckets, topics;
	struct list subs;
	uint64_t joins; /* the id of the last membership */
	bool closed;
	uint64_t published, delivered;
	struct weft_waiters rest; /* for the end of all subscribers */
};

static inline struct membership *member_at(struct list *l)
{
	return list_entry(l, struct membership, in_topic);
}

static inline struct membership *membership_at(struct list *l)
{
	return list_entry(l, struct membership, in_sub);
}

static inline void sub_missed(struct weft_sub *s, uint64_t n)
{
	weft_fetch_add_relaxed(&s->missed, n);
}

/* --- bus.c --- */

void weft_bus_topic_put(struct topic *t);
void weft_bus_membership_put(struct membership *m);
/* The subscriber has read all that it may of this one. */
void weft_bus_membership_over(struct membership *m);
/* It was too slow: it is at its end. */
void weft_bus_cut_off(struct weft_sub *s);
/* Why nothing can be published or joined: 0 while it is open. */
int weft_bus_shut(const struct weft_bus *b);

/* --- queues.c, ring.c: under the lock, which they may let go meanwhile --- */

int weft_bus_publish_queues(struct weft_bus *b, struct topic *t,
                            struct publication *p);
int weft_bus_publish_ring(struct weft_bus *b, struct topic *t,
                          struct publication *p);

/* --- the same, without the lock: 0; -EPIPE at the end --- */

int weft_bus_recv_queue(struct weft_sub *s, void *elem, int64_t deadline_ns);
int weft_bus_recv_queue_many(struct weft_sub *s, void *elems, size_t n,
                             size_t *done, int64_t deadline_ns);
int weft_bus_recv_ring(struct weft_sub *s, void *elem, int64_t deadline_ns);
int weft_bus_recv_ring_many(struct weft_sub *s, void *elems, size_t n,
                            size_t *done, int64_t deadline_ns);

int weft_bus_make_queue(struct weft_sub *s);
void weft_bus_empty_queue(struct weft_sub *s);
int weft_bus_make_ring(struct ring *r, const struct weft_bus_opts *opts);

#endif
