/*
 * textbook: single flight as it is usually written, for the kernel to compare
 * with: one lock, one map, and a record on the heap for each flight.
 *
 * A call that follows waits for a waitgroup in that record, as
 * golang.org/x/sync has it, or for the answer in a channel of its own, as its
 * DoChan does.
 */
#ifndef WEFT_PATTERNS_SINGLEFLIGHT_TEXTBOOK_H
#define WEFT_PATTERNS_SINGLEFLIGHT_TEXTBOOK_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include <weft/atomic.h>
#include <weft/weft.h>

#include "base/cacheline.h"
#include "base/list.h"
#include "common/key.h"
#include "flight.h"

#define TEXTBOOK_BUCKETS 1024u

/* What a call is answered; it travels by value. */
struct answer {
	uint64_t value, check;
	int64_t made_ns; /* where it matters when */
};

/* A caller: its channel, where it has one, and its place in a flight. It
 * outlives every flight. */
struct caller {
	struct list link; /* under the lock */
	struct weft_chan *chan;
};

struct textbook {
	struct weft_lock lock;
	struct list bucket[TEXTBOOK_BUCKETS]; /* under the lock */
};

struct textbook_flight {
	struct weft_waitgroup landed;
	struct list link; /* under the lock */
	struct weft_flight_key key;
	_Atomic unsigned holders;
	unsigned followers;  /* under the lock */
	struct list callers; /* under the lock; those with a channel */
	struct answer answer;
};

/* Makes the answer. 0 or -errno. */
typedef int textbook_fn(void *arg, struct answer *answer);

static inline struct textbook *textbook_new(void)
{
	struct textbook *t = cacheline_new(1, sizeof(*t));

	if (!t)
		return NULL;
	weft_lock_init(&t->lock);
	for (unsigned b = 0; b < TEXTBOOK_BUCKETS; b++)
		list_init(&t->bucket[b]);
	return t;
}

static inline struct list *textbook_bucket(struct textbook *t,
                                           struct weft_flight_key key)
{
	return &t->bucket[key_hash(key.at, key.bytes, 0) % TEXTBOOK_BUCKETS];
}

/* Under the lock. */
static inline struct textbook_flight *textbook_find(struct textbook *t,
                                                    struct weft_flight_key key)
{
	struct list *bucket = textbook_bucket(t, key);

	for (struct list *l = bucket->next; l != bucket; l = l->next) {
		struct textbook_flight *f =
		        list_entry(l, struct textbook_flight, link);

		if (f->key.bytes == key.bytes &&
		    key_is_same(f->key.at, key.at, key.bytes))
			return f;
	}
	return NULL;
}

/* Under the lock. */
static inline struct textbook_flight *textbook_begin(struct textbook *t,
                                                     struct weft_flight_key key)
{
	struct textbook_flight *f = cacheline_new(1, sizeof(*f));

	if (!f)
		return NULL;
	weft_waitgroup_init(&f->landed);
	weft_waitgroup_add(&f->landed, 1);
	f->key = key;
	weft_store_relaxed(&f->holders, 1u);
	list_init(&f->callers);
	list_push(textbook_bucket(t, key), &f->link);
	return f;
}

static inline void textbook_unref(struct textbook_flight *f)
{
	if (weft_fetch_sub_acq_rel(&f->holders, 1u) == 1)
		free(f);
}

/* How many wait for the flight of this key. */
static inline int64_t textbook_followers(struct textbook *t,
                                         struct weft_flight_key key)
{
	struct textbook_flight *f;
	int64_t n = 0;

	weft_lock_acquire(&t->lock);
	f = textbook_find(t, key);
	if (f)
		n = f->followers;
	weft_lock_release(&t->lock);
	return n;
}

static inline int textbook_lead(struct textbook *t, struct textbook_flight *f,
                                textbook_fn *fn, void *arg, struct answer *out)
{
	int err = fn(arg, &f->answer), last;
	struct list *l;

	*out = f->answer;
	weft_lock_acquire(&t->lock);
	list_unlink(&f->link);
	weft_lock_release(&t->lock);
	weft_waitgroup_done(&f->landed);
	/* Nobody joins any more. */
	while ((l = list_pop(&f->callers))) {
		struct caller *c = list_entry(l, struct caller, link);

		last = weft_chan_send(c->chan, out, WEFT_FOREVER);
		err = err ? err : last;
	}
	textbook_unref(f);
	return err;
}

static inline int textbook_follow(struct textbook_flight *f, struct caller *c,
                                  struct answer *out)
{
	int err;

	if (c->chan)
		return weft_chan_recv(c->chan, out, WEFT_FOREVER);
	err = weft_waitgroup_wait(&f->landed, WEFT_FOREVER);
	*out = f->answer;
	textbook_unref(f);
	return err;
}

/* 0; -ENOMEM; what fn said, to the one that led; what the channel did. */
static inline int textbook_do(struct textbook *t, struct weft_flight_key key,
                              struct caller *c, textbook_fn *fn, void *arg,
                              struct answer *out)
{
	struct textbook_flight *f;
	bool leads;

	weft_lock_acquire(&t->lock);
	f = textbook_find(t, key);
	leads = !f;
	if (leads) {
		f = textbook_begin(t, key);
	} else {
		f->followers++;
		if (c->chan)
			list_push(&f->callers, &c->link);
		else
			weft_fetch_add_relaxed(&f->holders, 1u);
	}
	weft_lock_release(&t->lock);
	if (!f)
		return -ENOMEM;
	return leads ? textbook_lead(t, f, fn, arg, out)
	             : textbook_follow(f, c, out);
}

#endif
