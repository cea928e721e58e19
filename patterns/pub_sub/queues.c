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

struct offer {
	struct membership *m;
	const void *elem;
};

static int look_for_room(void *arg)
{
	const struct offer *o = arg;
	struct weft_sub *s = o->m->sub;

	if (weft_ending_is_set(&s->bus->end))
		return weft_ending_why(&s->bus->end);
	if (weft_load_acquire(&o->m->left)) /* [left] */
		return -EPIPE;
	return weft_chan_try_send(s->queue, o->elem);
}

/* Others may take or put meanwhile. */
static int push_out_oldest(struct weft_sub *s, const void *elem)
{
	_Alignas(WEFT_CACHE_LINE) unsigned char oldest[WEFT_ELEM_MAX];
	unsigned turn = 0;
	int err;

	while ((err = weft_chan_try_send(s->queue, elem)) == -EAGAIN) {
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

static int find_room(struct membership *m, const void *elem,
                     int64_t deadline_ns)
{
	struct offer o = { m, elem };

	switch (m->sub->opts.slow) {
	case WEFT_SLOW_BLOCK:
		return weft_waiters_wait(&m->sub->ready, "room at a subscriber",
		                         look_for_room, &o, NULL, deadline_ns);
	case WEFT_SLOW_DROP_OLDEST:
	case WEFT_SLOW_LATEST:
		return push_out_oldest(m->sub, elem);
	case WEFT_SLOW_DISCONNECT:
		weft_bus_cut_off(m->sub);
		return -EPIPE;
	default:
		return -EAGAIN;
	}
}

/* A copy that is held could not be put in. */
static int insist(struct membership *m, const void *elem, int64_t deadline_ns)
{
	const struct weft_bus *b = m->sub->bus;
	int err = find_room(m, elem, deadline_ns);

	if (!err)
		return 0;
	if (err == -EAGAIN || err == -ETIMEDOUT)
		sub_missed(m->sub, 1);
	if (b->opts.hold)
		drop(b, elem);
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
static int deliver_later(struct weft_bus *b, struct membership *to,
                         const void *elem, int64_t deadline_ns)
{
	int err;

	to->refs++;
	weft_lock_release(&b->lock);
	err = insist(to, elem, deadline_ns);
	weft_lock_acquire(&b->lock);
	return err;
}

/* Whether the others still get it. */
static bool concerns_one(int err)
{
	return !err || err == -EAGAIN || err == -EPIPE || err == -ETIMEDOUT;
}

/* A message that goes to one after the other. */
struct round {
	const void *elem;
	int64_t deadline_ns;
	uint64_t last; /* who has joined later does not get it */
	int got;       /* how many have got it */
	bool late;     /* somebody has not, by the deadline */
};

/* To `to`, which had no room. 0, or why it goes to nobody else. */
static int go_on(struct weft_bus *b, struct round *r, struct membership *to,
                 bool more)
{
	int err = deliver_later(b, to, r->elem,
	                        r->late ? WEFT_NOW : r->deadline_ns);
	int shut = weft_bus_shut(b);

	r->got += !err;
	r->late |= err == -ETIMEDOUT;
	if (shut && (err || more))
		return shut;
	return concerns_one(err) ? 0 : err;
}

static int go_round(struct weft_bus *b, struct topic *t, struct round *r)
{
	struct membership *m = member_at(t->members.next), *next;
	int err = 0;

	for (; m && m->id <= r->last && !err; m = next) {
		next = member_behind(t, m);
		hold(b, r->elem);
		if (__builtin_expect(
		            !weft_chan_try_send(m->sub->queue, r->elem), 1)) {
			r->got++;
			continue;
		}
		err = go_on(b, r, m, next && next->id <= r->last);
		next = member_behind(t, m);
		weft_bus_membership_put(m);
	}
	return err;
}

int weft_bus_publish_queues(struct weft_bus *b, struct topic *t,
                            const void *elem, int64_t deadline_ns)
{
	struct round r = { elem, deadline_ns, b->joins, 0, false };
	int err;

	t->refs++;
	err = go_round(b, t, &r);
	weft_bus_topic_put(t);
	b->published++;
	b->delivered += (uint64_t)r.got;
	if (err)
		return err;
	return r.late ? -ETIMEDOUT : r.got;
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

/* --- the queue --- */

int weft_bus_make_queue(struct weft_sub *s)
{
	const struct weft_bus_opts *opts = &s->bus->opts;
	const struct weft_chan_opts chan = { .wait = opts->wait };
	bool latest = s->opts.slow == WEFT_SLOW_LATEST;
	size_t cap = latest ? 1 : s->opts.cap ? s->opts.cap : opts->cap;
	int err;

	/* The publisher receives, too. */
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
