/*
 * With queues: a message is offered to one member of the topic after the other,
 * under the lock. Where one has no room, its membership is held on to and the
 * lock is not; then the publish goes on behind it, wherever that is by then.
 */
#include <weft/chan_impl.h>

#include "common/ends.h"
#include "internal.h"

static void drop(const struct weft_bus *b, const void *elem)
{
	if (b->opts.drop)
		b->opts.drop((void *)(uintptr_t)elem, b->opts.drop_arg);
}

static void hold(const struct weft_bus *b, const void *elem)
{
	if (b->opts.hold)
		b->opts.hold(elem, b->opts.drop_arg);
}

/* --- no room: without the lock --- */

/* Messages to one member, of which it has `done`. */
struct offer {
	struct membership *m;
	const struct publication *p;
	size_t done;
};

static const void *next_of(const struct offer *o)
{
	return o->p->elems + o->done * o->m->sub->elem_size;
}

/* Put in what there is room for. */
static inline int try_put(struct offer *o)
{
	size_t n = o->p->n - o->done, done;
	int err;

	if (__builtin_expect(n == 1, 1)) {
		err = weft_chan_try_send(o->m->sub->queue, next_of(o));
		o->done += !err;
		return err;
	}
	err = weft_chan_send_many(o->m->sub->queue, next_of(o), n, &done,
	                          WEFT_NOW);
	o->done += done;
	return err == -ETIMEDOUT ? -EAGAIN : err;
}

static int look_for_room(void *arg)
{
	struct offer *o = arg;
	struct weft_sub *s = o->m->sub;

	if (weft_ending_is_set(&s->bus->end))
		return weft_ending_why(&s->bus->end);
	if (weft_load_acquire(&o->m->left)) /* [left] */
		return -EPIPE;
	return try_put(o);
}

/* Others may take or put meanwhile. */
static int push_out_oldest(struct offer *o)
{
	_Alignas(WEFT_CACHE_LINE) unsigned char oldest[WEFT_ELEM_MAX];
	struct weft_sub *s = o->m->sub;
	unsigned turn = 0;
	int err;

	while ((err = try_put(o)) == -EAGAIN) {
		err = weft_chan_try_recv(s->queue, oldest);
		if (!err) {
			sub_missed(s, 1);
			drop(s->bus, oldest);
		} else if (err != -EAGAIN) {
			break;
		} else {
			weft_relent(turn++);
		}
	}
	return err;
}

static int find_room(struct offer *o, int64_t deadline_ns)
{
	struct weft_sub *s = o->m->sub;

	switch (s->opts.slow) {
	case WEFT_SLOW_BLOCK:
		return weft_waiters_wait(&s->ready, "room at a subscriber",
		                         look_for_room, o, NULL, deadline_ns);
	case WEFT_SLOW_DROP_OLDEST:
	case WEFT_SLOW_LATEST:
		return push_out_oldest(o);
	case WEFT_SLOW_DISCONNECT:
		weft_bus_cut_off(s);
		return -EPIPE;
	default:
		return -EAGAIN;
	}
}

/* Copies that are held could not be put in. */
static int insist(struct offer *o, int64_t deadline_ns)
{
	struct weft_sub *s = o->m->sub;
	int err = find_room(o, deadline_ns);

	if (err == -EAGAIN || err == -ETIMEDOUT)
		sub_missed(s, o->p->n - o->done);
	for (struct offer rest = *o; s->bus->opts.hold && rest.done < rest.p->n;
	     rest.done++)
		drop(s->bus, next_of(&rest));
	return err;
}

/* --- publishing --- */

static struct membership *member_behind(struct topic *t,
                                        const struct membership *m)
{
	struct list *l = m->in_topic.next;

	/* One that has left is linked to itself. */
	if (l == &m->in_topic)
		for (l = t->members.next; l != &t->members; l = l->next)
			if (member_at(l)->id > m->id)
				break;
	return l == &t->members ? NULL : member_at(l);
}

/* To one that had no room: its membership is held on to, the lock is not. */
static int deliver_later(struct weft_bus *b, struct offer *o,
                         int64_t deadline_ns)
{
	int err;

	o->m->refs++;
	weft_lock_release(&b->lock);
	err = insist(o, deadline_ns);
	weft_lock_acquire(&b->lock);
	return err;
}

/* Whether the others still get it. */
static bool concerns_one(int err)
{
	return !err || err == -EAGAIN || err == -EPIPE || err == -ETIMEDOUT;
}

/* Messages that go to one after the other. */
struct round {
	struct publication *p;
	uint64_t last;   /* members that joined later do not get them */
	uint64_t copies; /* that were put in */
	bool late;       /* one has not got all of them by the deadline */
};

/* To one that had no room. 0, or why they go to no other. */
static int go_on(struct weft_bus *b, struct round *r, struct offer *o,
                 bool more)
{
	int err = deliver_later(b, o, r->late ? WEFT_NOW : r->p->deadline_ns);
	int shut = weft_bus_shut(b);

	r->late |= err == -ETIMEDOUT;
	if (shut && (err || more))
		return shut;
	return concerns_one(err) ? 0 : err;
}

static void hold_all(const struct weft_bus *b, const struct publication *p)
{
	for (size_t i = 0; b->opts.hold && i < p->n; i++)
		hold(b, p->elems + i * b->opts.elem_size);
}

static int go_round(struct weft_bus *b, struct topic *t, struct round *r)
{
	struct membership *m = member_at(t->members.next), *next;
	int err = 0;

	for (; m && m->id <= r->last && !err; m = next) {
		struct offer o = { m, r->p, 0 };

		next = member_behind(t, m);
		hold_all(b, r->p);
		if (__builtin_expect(try_put(&o) != 0, 0)) {
			err = go_on(b, r, &o, next && next->id <= r->last);
			next = member_behind(t, m);
			weft_bus_membership_put(m);
		}
		r->copies += o.done;
		r->p->got += o.done == r->p->n;
	}
	return err;
}

int weft_bus_publish_queues(struct weft_bus *b, struct topic *t,
                            struct publication *p)
{
	struct round r = { p, b->joins, 0, false };
	int err;

	t->refs++;
	err = go_round(b, t, &r);
	weft_bus_topic_put(t);
	b->published += p->n;
	b->delivered += r.copies;
	if (err)
		return err;
	p->done = p->n;
	return r.late ? -ETIMEDOUT : 0;
}

/* --- receiving --- */

int weft_bus_recv_queue(struct weft_sub *s, void *elem, int64_t deadline_ns)
{
	int err;

	if (weft_ending_is_set(&s->bus->end))
		return weft_ending_why(&s->bus->end);
	err = weft_chan_recv(s->queue, elem, deadline_ns);
	if (__builtin_expect(!err, 1))
		weft_waiters_wake(&s->ready, 1);
	return weft_ending_of(&s->bus->end, err);
}

int weft_bus_recv_queue_many(struct weft_sub *s, void *elems, size_t n,
                             size_t *done, int64_t deadline_ns)
{
	int err;

	if (weft_ending_is_set(&s->bus->end))
		return weft_ending_why(&s->bus->end);
	err = weft_chan_recv_many(s->queue, elems, n, done, deadline_ns);
	if (!err)
		weft_waiters_wake(&s->ready, *done);
	return weft_ending_of(&s->bus->end, err);
}

/* --- the queue --- */

int weft_bus_make_queue(struct weft_sub *s)
{
	const struct weft_bus_opts *opts = &s->bus->opts;
	const struct weft_chan_opts chan = { .wait = opts->wait };
	bool latest = s->opts.slow == WEFT_SLOW_LATEST;
	size_t cap = latest ? 1 : s->opts.cap ? s->opts.cap : opts->cap;
	int err;

	/* Publishers receive, too. */
	if ((latest || s->opts.slow == WEFT_SLOW_DROP_OLDEST) &&
	    !ends_allow(opts->impl->max_receivers, 2))
		return -EINVAL;
	err = weft_chan_new(&s->queue, opts->impl, cap, opts->elem_size, &chan);
	if (!err && latest && weft_chan_cap(s->queue) != 1) {
		weft_chan_unref(s->queue);
		err = -ENOTSUP;
	}
	return err;
}

/* It is closed. */
void weft_bus_empty_queue(struct weft_sub *s)
{
	_Alignas(WEFT_CACHE_LINE) unsigned char elem[WEFT_ELEM_MAX];

	while (weft_chan_try_recv(s->queue, elem) == 0)
		drop(s->bus, elem);
}
