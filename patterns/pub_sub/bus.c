/*
 * What both kinds of bus have in common: which subscriber has joined which
 * topic, and how all of them come to their end.
 */
#include <weft/chan_impl.h>

#include "common/ends.h"
#include "internal.h"

#define BUCKETS_MIN 16

/* --- topics: under the lock, as all down to the calls --- */

static struct list *bucket_of(const struct weft_bus *b, uint64_t key)
{
	uint64_t hash = key * UINT64_C(0x9e3779b97f4a7c15);

	return &b->table[(hash >> 32) & (b->buckets - 1)];
}

static struct topic *topic_at(struct list *l)
{
	return list_entry(l, struct topic, link);
}

static struct topic *find_topic(const struct weft_bus *b, uint64_t key)
{
	struct list *bucket = bucket_of(b, key);

	for (struct list *l = bucket->next; l != bucket; l = l->next)
		if (topic_at(l)->key == key)
			return topic_at(l);
	return NULL;
}

static struct list *new_table(size_t n)
{
	struct list *table = cacheline_new(n, sizeof(*table));

	for (size_t i = 0; table && i < n; i++)
		list_init(&table[i]);
	return table;
}

/* Twice as many lists, if there is memory for them. */
static void grow_table(struct weft_bus *b)
{
	struct list *old = b->table, *l;
	size_t n = b->buckets;
	struct list *table = new_table(2 * n);

	if (!table)
		return;
	b->table = table;
	b->buckets = 2 * n;
	for (size_t i = 0; i < n; i++)
		while ((l = list_pop(&old[i])))
			list_push(bucket_of(b, topic_at(l)->key), l);
	free(old);
}

/* Nobody will find it any more. */
static void forget_topic(struct weft_bus *b, struct topic *t)
{
	b->topics -= !list_is_empty(&t->link);
	list_unlink(&t->link);
}

void weft_bus_topic_put(struct topic *t)
{
	if (--t->refs)
		return;
	free(t->ring.slots);
	free(t);
}

/* Without members: the caller sees to it that it gets one, or puts it. */
static struct topic *new_topic(struct weft_bus *b, uint64_t key)
{
	struct topic *t = cacheline_new(1, sizeof(*t));

	if (!t || (b->opts.ring && weft_bus_make_ring(&t->ring, &b->opts))) {
		free(t);
		return NULL;
	}
	t->key = key;
	list_init(&t->members);
	if (b->topics == b->buckets)
		grow_table(b);
	list_push(bucket_of(b, key), &t->link);
	b->topics++;
	return t;
}

/* --- memberships --- */

static void put_sub(struct weft_sub *s)
{
	if (--s->refs)
		return;
	weft_chan_unref(s->queue);
	free(s);
}

void weft_bus_membership_put(struct membership *m)
{
	if (--m->refs)
		return;
	weft_bus_topic_put(m->topic);
	put_sub(m->sub);
	free(m);
}

static void leave_topic(struct membership *m)
{
	list_unlink(&m->in_topic);
	if (list_is_empty(&m->topic->members))
		forget_topic(m->sub->bus, m->topic);
}

void weft_bus_membership_over(struct membership *m)
{
	leave_topic(m);
	list_unlink(&m->in_view);
	list_unlink(&m->in_sub);
	weft_bus_membership_put(m);
}

static void end_in_queue(struct membership *m)
{
	weft_store_release(&m->left, true); /* [left] */
	weft_waiters_wake(&m->sub->ready, SIZE_MAX);
	weft_bus_membership_over(m);
}

/* The receiver lets go of it when it has read as far as it may. */
static void end_in_ring(struct membership *m, bool keep)
{
	uint64_t tail = weft_load_relaxed(&m->topic->ring.tail);

	weft_store_release(&m->end, keep ? tail : 0); /* [end] */
	if (!keep)
		leave_topic(m);
	weft_store_release(&m->sub->changed, true); /* [changed] */
	weft_waiters_wake(&m->sub->ready, 1);
	weft_waiters_wake(&m->topic->ring.room, SIZE_MAX);
}

/* Nothing more of the topic comes in; `keep` what is in a ring. m may be
 * gone. */
static void end_membership(struct membership *m, bool keep)
{
	if (m->joined) {
		m->joined = false;
		m->topic->joined--;
		m->sub->topics--;
	}
	if (m->sub->queue)
		end_in_queue(m);
	else
		end_in_ring(m, keep);
}

static void end_memberships(struct weft_sub *s, bool keep)
{
	struct list *l, *next;

	for (l = s->memberships.next; l != &s->memberships; l = next) {
		struct membership *m = membership_at(l);

		next = l->next;
		if (m->joined || !keep)
			end_membership(m, keep);
	}
}

/* --- the end of a subscriber --- */

/* It has no topic, and will not have one. */
static void shut(struct weft_sub *s)
{
	weft_store_release(&s->closed, true);  /* [closed] */
	weft_store_release(&s->changed, true); /* [changed] */
	if (s->queue)
		weft_chan_close(s->queue);
	weft_waiters_wake(&s->ready, SIZE_MAX);
}

static void close_sub(struct weft_sub *s)
{
	if (weft_load_relaxed(&s->closed))
		return;
	end_memberships(s, true);
	shut(s);
}

void weft_bus_cut_off(struct weft_sub *s)
{
	weft_lock_acquire(&s->bus->lock);
	if (!weft_load_relaxed(&s->closed) || !s->queue) {
		weft_store_release(&s->cut, -EOVERFLOW);
		end_memberships(s, false);
		shut(s);
	}
	weft_lock_release(&s->bus->lock);
}

/* It leaves one topic, and with the last of them it is at its end. */
static void end_one(struct membership *m, bool keep)
{
	struct weft_sub *s = m->sub;

	end_membership(m, keep);
	if (s->topics == 0)
		shut(s);
}

static uint64_t inside(const struct weft_sub *s)
{
	uint64_t n = 0, tail, end, cursor;

	if (s->queue)
		return weft_chan_len(s->queue);
	for (struct list *l = s->memberships.next; l != &s->memberships;
	     l = l->next) {
		struct membership *m = membership_at(l);

		tail = weft_load_acquire(&m->topic->ring.tail);
		end = weft_load_relaxed(&m->end);
		cursor = weft_load_relaxed(&m->cursor);
		end = end < tail ? end : tail;
		n += end > cursor ? end - cursor : 0;
	}
	return n;
}

static struct weft_sub *sub_at(struct list *l)
{
	return list_entry(l, struct weft_sub, link);
}

/* --- the end of the bus --- */

int weft_bus_shut(const struct weft_bus *b)
{
	int why = weft_ending_why(&b->end);

	return why ? why : b->closed ? -EPIPE : 0;
}

static bool everything_came_out(void *arg)
{
	struct weft_bus *b = arg;
	bool out;

	weft_lock_acquire(&b->lock);
	out = b->closed;
	for (struct list *l = b->subs.next; l != &b->subs; l = l->next)
		out = out && inside(sub_at(l)) == 0;
	weft_lock_release(&b->lock);
	return out;
}

static void wake_topics(struct weft_bus *b)
{
	for (size_t i = 0; b->opts.ring && i < b->buckets; i++)
		for (struct list *l = b->table[i].next; l != &b->table[i];
		     l = l->next)
			weft_waiters_wake(&topic_at(l)->ring.room, SIZE_MAX);
}

static void release_all(void *arg)
{
	struct weft_bus *b = arg;

	weft_lock_acquire(&b->lock);
	for (struct list *l = b->subs.next; l != &b->subs; l = l->next)
		shut(sub_at(l));
	wake_topics(b);
	weft_lock_release(&b->lock);
	weft_waiters_wake(&b->rest, SIZE_MAX);
}

static const struct weft_ending_ops ending_ops = { everything_came_out,
	                                           release_all };

/* --- the calls: publishing --- */

static int publish(struct weft_bus *b, uint64_t topic, struct publication *p)
{
	struct topic *t;
	int err;

	weft_lock_acquire(&b->lock);
	err = weft_bus_shut(b);
	t = err ? NULL : find_topic(b, topic);
	if (t)
		err = b->opts.ring ? weft_bus_publish_ring(b, t, p)
		                   : weft_bus_publish_queues(b, t, p);
	else if (!err)
		p->done = p->n;
	weft_lock_release(&b->lock);
	return err;
}

int weft_bus_publish(struct weft_bus *b, uint64_t topic, const void *elem,
                     int64_t deadline_ns)
{
	struct publication p = { elem, 1, deadline_ns, 0, 0 };
	int err;

	if (!b || (!elem && b->opts.elem_size))
		return -EINVAL;
	err = publish(b, topic, &p);
	return err ? err : p.got;
}

int weft_bus_publish_many(struct weft_bus *b, uint64_t topic, const void *elems,
                          size_t n, size_t *done, int64_t deadline_ns)
{
	struct publication p = { elems, n, deadline_ns, 0, 0 };
	int err;

	if (done)
		*done = 0;
	if (!b || !done || (!elems && n && b->opts.elem_size))
		return -EINVAL;
	err = publish(b, topic, &p);
	*done = p.done;
	return err;
}

int weft_bus_try_publish(struct weft_bus *b, uint64_t topic, const void *elem)
{
	int n = weft_bus_publish(b, topic, elem, WEFT_NOW);

	return b ? weft_ending_tried(&b->end, n) : n;
}

/* --- the calls: the end --- */

int weft_bus_close(struct weft_bus *b)
{
	int err;

	if (!b)
		return -EINVAL;
	weft_lock_acquire(&b->lock);
	err = weft_bus_shut(b) ? -EPIPE : 0;
	if (!err) {
		b->closed = true;
		for (struct list *l = b->subs.next; l != &b->subs; l = l->next)
			close_sub(sub_at(l));
	}
	weft_lock_release(&b->lock);
	weft_waiters_wake(&b->rest, SIZE_MAX);
	return err;
}

int weft_bus_close_topic(struct weft_bus *b, uint64_t topic)
{
	struct list *l, *next;
	struct topic *t;

	if (!b)
		return -EINVAL;
	weft_lock_acquire(&b->lock);
	t = find_topic(b, topic);
	if (t) {
		t->refs++;
		forget_topic(b, t);
		for (l = t->members.next; l != &t->members; l = next) {
			next = l->next;
			if (member_at(l)->joined)
				end_one(member_at(l), true);
		}
		weft_bus_topic_put(t);
	}
	weft_lock_release(&b->lock);
	return 0;
}

int weft_bus_stop(struct weft_bus *b)
{
	return b ? weft_ending_stop(&b->end, -ECANCELED) : -EINVAL;
}

int weft_bus_fail(struct weft_bus *b, int err)
{
	return b ? weft_ending_fail(&b->end, err) : -EINVAL;
}

static int look_at_rest(void *arg)
{
	struct weft_bus *b = arg;
	bool ended;
	int why;

	weft_lock_acquire(&b->lock);
	why = weft_ending_why(&b->end);
	ended = b->closed;
	for (struct list *l = b->subs.next; l != &b->subs; l = l->next)
		ended = ended && sub_at(l)->ended;
	weft_lock_release(&b->lock);
	return why ? why : ended ? 0 : -EAGAIN;
}

int weft_bus_join(struct weft_bus *b, int64_t deadline_ns)
{
	if (!b)
		return -EINVAL;
	return weft_waiters_wait(&b->rest, "subscribers", look_at_rest, b, NULL,
	                         deadline_ns);
}

int weft_bus_stats(struct weft_bus *b, struct weft_bus_stats *out)
{
	if (!b || !out)
		return -EINVAL;
	weft_lock_acquire(&b->lock);
	*out = (struct weft_bus_stats){ b->topics, list_len(&b->subs),
		                        b->published, b->delivered };
	weft_lock_release(&b->lock);
	return 0;
}

/* --- the calls: making --- */

static bool opts_are_valid(const struct weft_bus_opts *o,
                           const struct weft_chan_impl *impl)
{
	if (o->cap < 1 || o->cap > WEFT_BUS_CAP_MAX ||
	    o->elem_size > WEFT_ELEM_MAX || (unsigned)o->wait > WEFT_WAIT_PARK)
		return false;
	if (o->ring)
		return !o->hold && !o->drop;
	/* Any number of tasks may publish. */
	return ends_suit(impl, 0, 1) &&
	       !weft_chan_impl_accepts(impl, o->cap, o->elem_size, NULL, 0);
}

int weft_bus_new(struct weft_bus **out, const struct weft_bus_opts *opts)
{
	const struct weft_chan_impl *impl;
	struct weft_bus *b;
	int err;

	if (!out || !opts)
		return -EINVAL;
	impl = opts->impl ? opts->impl : weft_chan_impl_find("handoff");
	if (!opts_are_valid(opts, impl))
		return -EINVAL;
	b = cacheline_new(1, sizeof(*b));
	if (!b)
		return -ENOMEM;
	b->opts = *opts;
	b->opts.impl = impl;
	weft_lock_init(&b->lock);
	list_init(&b->subs);
	weft_waiters_init(&b->rest);
	weft_ending_init(&b->end, &ending_ops, b);
	b->buckets = BUCKETS_MIN;
	b->table = new_table(b->buckets);
	err = b->table ? weft_ending_watch(&b->end, opts->ctx) : -ENOMEM;
	if (err) {
		free(b->table);
		free(b);
		return err;
	}
	*out = b;
	return 0;
}

void weft_bus_free(struct weft_bus *b)
{
	struct list *next;

	if (!b)
		return;
	weft_ending_unwatch(&b->end);
	for (struct list *l = b->subs.next; l != &b->subs; l = next) {
		next = l->next;
		weft_sub_free(sub_at(l));
	}
	free(b->table);
	free(b);
}

/* --- the calls: subscribers --- */

static bool sub_opts_are_valid(const struct weft_bus *b,
                               const struct weft_sub_opts *o)
{
	if ((unsigned)o->slow > WEFT_SLOW_DISCONNECT ||
	    o->cap > WEFT_BUS_CAP_MAX)
		return false;
	return !b->opts.ring ||
	       (o->slow != WEFT_SLOW_DROP_NEWEST && o->cap == 0);
}

int weft_sub_new(struct weft_sub **out, struct weft_bus *b,
                 const struct weft_sub_opts *opts)
{
	static const struct weft_sub_opts defaults;
	struct weft_sub *s;
	int err;

	opts = opts ? opts : &defaults;
	if (!out || !b || !sub_opts_are_valid(b, opts))
		return -EINVAL;
	s = cacheline_new(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->bus = b;
	s->opts = *opts;
	s->elem_size = b->opts.elem_size;
	s->refs = 1;
	list_init(&s->memberships);
	list_init(&s->view);
	weft_waiters_init(&s->ready);
	weft_waiters_set_depth(&s->ready, opts->cap ? opts->cap : b->opts.cap);
	err = weft_waiters_set_wait(&s->ready, b->opts.wait);
	if (!err && !b->opts.ring)
		err = weft_bus_make_queue(s);
	if (err) {
		free(s);
		return err;
	}
	weft_lock_acquire(&b->lock);
	err = weft_bus_shut(b);
	if (err)
		put_sub(s);
	else
		list_push(&b->subs, &s->link);
	weft_lock_release(&b->lock);
	if (!err)
		*out = s;
	return err;
}

void weft_sub_free(struct weft_sub *s)
{
	struct weft_bus *b = s ? s->bus : NULL;
	struct list *next;

	if (!s)
		return;
	weft_lock_acquire(&b->lock);
	end_memberships(s, false);
	shut(s);
	list_unlink(&s->link);
	weft_lock_release(&b->lock);
	weft_waiters_wake(&b->rest, SIZE_MAX);
	if (s->queue)
		weft_bus_empty_queue(s);
	weft_lock_acquire(&b->lock);
	for (struct list *l = s->memberships.next; l != &s->memberships;
	     l = next) {
		next = l->next;
		weft_bus_membership_over(membership_at(l));
	}
	put_sub(s);
	weft_lock_release(&b->lock);
}

/* Among the subscriber's topics, or the topic's subscribers: there may be a
 * great many of either, and hardly of both. */
static struct membership *find_membership(struct weft_sub *s, uint64_t topic)
{
	struct topic *t = find_topic(s->bus, topic);
	struct list *l;

	if (!t)
		return NULL;
	if (t->joined < s->topics) {
		for (l = t->members.next; l != &t->members; l = l->next)
			if (member_at(l)->joined && member_at(l)->sub == s)
				return member_at(l);
		return NULL;
	}
	for (l = s->memberships.next; l != &s->memberships; l = l->next)
		if (membership_at(l)->joined && membership_at(l)->topic == t)
			return membership_at(l);
	return NULL;
}

static int add_membership(struct weft_sub *s, uint64_t topic)
{
	struct weft_bus *b = s->bus;
	struct membership *m = cacheline_new(1, sizeof(*m));
	struct topic *t = find_topic(b, topic);

	if (m && !t)
		t = new_topic(b, topic);
	if (!m || !t) {
		free(m);
		return -ENOMEM;
	}
	m->topic = t;
	m->sub = s;
	m->id = ++b->joins;
	m->refs = 1;
	m->joined = true;
	list_init(&m->in_view);
	weft_store_relaxed(&m->cursor, weft_load_relaxed(&t->ring.tail));
	weft_store_relaxed(&m->end, UINT64_MAX);
	weft_store_relaxed(&m->wanted, UINT64_MAX);
	list_push(&t->members, &m->in_topic);
	list_push(&s->memberships, &m->in_sub);
	t->refs++;
	t->joined++;
	s->refs++;
	s->topics++;
	weft_store_release(&s->changed, true); /* [changed] */
	if (b->opts.ring)
		weft_waiters_wake(&s->ready, 1);
	return 0;
}

int weft_sub_join(struct weft_sub *s, uint64_t topic)
{
	int err;

	if (!s)
		return -EINVAL;
	weft_lock_acquire(&s->bus->lock);
	err = weft_bus_shut(s->bus);
	if (!err && weft_load_relaxed(&s->closed))
		err = -EPIPE;
	if (!err && !find_membership(s, topic))
		err = add_membership(s, topic);
	weft_lock_release(&s->bus->lock);
	return err;
}

int weft_sub_leave(struct weft_sub *s, uint64_t topic)
{
	struct membership *m;

	if (!s)
		return -EINVAL;
	weft_lock_acquire(&s->bus->lock);
	m = find_membership(s, topic);
	if (m)
		end_one(m, false);
	weft_lock_release(&s->bus->lock);
	return 0;
}

int weft_sub_close(struct weft_sub *s)
{
	if (!s)
		return -EINVAL;
	weft_lock_acquire(&s->bus->lock);
	close_sub(s);
	weft_lock_release(&s->bus->lock);
	return 0;
}

/* --- the calls: receiving --- */

/* The end has come: what it is called. */
static int at_end(struct weft_sub *s)
{
	int cut = weft_load_acquire(&s->cut);

	weft_lock_acquire(&s->bus->lock);
	s->ended = true;
	weft_lock_release(&s->bus->lock);
	weft_waiters_wake(&s->bus->rest, SIZE_MAX);
	return cut ? cut : -EPIPE;
}

static uint64_t untold(struct weft_sub *s)
{
	uint64_t missed = weft_load_relaxed(&s->missed);
	uint64_t told = weft_load_relaxed(&s->told);

	/* Of several receivers, one that looked earlier must not take back what
	 * another was told since. */
	while (missed > told)
		if (weft_cas_weak_relaxed(&s->told, &told, missed))
			return missed - told;
	return 0;
}

/* What a receive has come to. */
static inline int received(struct weft_sub *s, int err, uint64_t *missed)
{
	if (__builtin_expect(err != 0, 0)) {
		if (err != -EPIPE)
			return err;
		err = at_end(s);
	}
	if (missed)
		*missed = untold(s);
	return err;
}

int weft_sub_recv(struct weft_sub *s, void *elem, uint64_t *missed,
                  int64_t deadline_ns)
{
	if (!s || (!elem && s->elem_size))
		return -EINVAL;
	return received(s,
	                s->queue ? weft_bus_recv_queue(s, elem, deadline_ns)
	                         : weft_bus_recv_ring(s, elem, deadline_ns),
	                missed);
}

int weft_sub_recv_many(struct weft_sub *s, void *elems, size_t n, size_t *done,
                       uint64_t *missed, int64_t deadline_ns)
{
	int err;

	if (done)
		*done = 0;
	if (!s || !done || (!elems && n && s->elem_size))
		return -EINVAL;
	if (!n)
		return 0;
	err = s->queue
	              ? weft_bus_recv_queue_many(s, elems, n, done, deadline_ns)
	              : weft_bus_recv_ring_many(s, elems, n, done, deadline_ns);
	return received(s, err, missed);
}

int weft_sub_try_recv(struct weft_sub *s, void *elem, uint64_t *missed)
{
	int err = weft_sub_recv(s, elem, missed, WEFT_NOW);

	return s ? weft_ending_tried(&s->bus->end, err) : err;
}

int weft_sub_stats(struct weft_sub *s, struct weft_sub_stats *out)
{
	if (!s || !out)
		return -EINVAL;
	weft_lock_acquire(&s->bus->lock);
	*out = (struct weft_sub_stats){ s->topics, inside(s),
		                        weft_load_relaxed(&s->missed) };
	weft_lock_release(&s->bus->lock);
	return 0;
}
