/*
 * With a ring: a message is written once, under the lock, and read by each
 * subscriber where it is, without. A reader that blocks holds up the writer by
 * its cursor. One that does not may be overtaken while it copies: the number of
 * the slot tells, before and after.
 *
 * The number and the words of a slot make a sequence lock without fences: the
 * writer's stores of words are releases and the reader's loads are acquires, so
 * a reader that has seen a word of a later message sees a later number, too.
 */
#include "internal.h"

struct slot {
	_Atomic uint64_t number; /* n + 1 of message n; 0 while written */
	_Atomic uint64_t words[];
};

static struct slot *slot_of(const struct ring *r, uint64_t n)
{
	return (struct slot *)(void *)(r->slots +
	                               (n & (r->cap - 1)) * r->slot_bytes);
}

static void write_words(_Atomic uint64_t *to, const unsigned char *from,
                        size_t bytes)
{
	uint64_t word;

	for (; bytes >= sizeof(word); bytes -= sizeof(word)) {
		memcpy(&word, from, sizeof(word));
		weft_store_release(to++, word); /* [words] */
		from += sizeof(word);
	}
	if (bytes) {
		word = 0;
		memcpy(&word, from, bytes);
		weft_store_release(to, word); /* [words] */
	}
}

static inline void read_words(unsigned char *to, _Atomic uint64_t *from,
                              size_t bytes)
{
	uint64_t word;

	for (; bytes >= sizeof(word); bytes -= sizeof(word)) {
		word = weft_load_acquire(from++); /* [words] */
		memcpy(to, &word, sizeof(word));
		to += sizeof(word);
	}
	if (bytes) {
		word = weft_load_acquire(from); /* [words] */
		memcpy(to, &word, bytes);
	}
}

/* --- publishing: under the lock --- */

/* The furthest back that somebody who blocks has yet to read. */
static uint64_t find_oldest(struct topic *t)
{
	uint64_t oldest = weft_load_relaxed(&t->ring.tail), cursor;

	for (struct list *l = t->members.next; l != &t->members; l = l->next) {
		struct membership *m = member_at(l);

		if (m->sub->opts.slow != WEFT_SLOW_BLOCK)
			continue;
		cursor = weft_load_acquire(&m->cursor); /* [cursor] */
		if (cursor < weft_load_relaxed(&m->end) && cursor < oldest)
			oldest = cursor;
	}
	return oldest;
}

/*
 * Have those who block say when they come to message n. With the barrier
 * between this and the look at their cursors, one whose cursor is not seen
 * there sees this; without it they are not asked, and all of them say all the
 * time.
 */
static void want(struct ring *r, uint64_t n)
{
	if (weft_load_relaxed(&r->wanted) == n)
		return;
	weft_store_relaxed(&r->wanted, n);
	if (r->asks)
		weft_barrier_heavy();
}

static bool has_room(struct topic *t)
{
	struct ring *r = &t->ring;
	uint64_t tail = weft_load_relaxed(&r->tail);

	if (tail - r->oldest < r->cap)
		return true;
	r->oldest = find_oldest(t);
	if (tail - r->oldest < r->cap)
		return true;
	want(r, tail - r->cap + 1);
	r->oldest = find_oldest(t);
	return tail - r->oldest < r->cap;
}

static void write_message(struct ring *r, const void *elem, size_t bytes)
{
	uint64_t n = weft_load_relaxed(&r->tail);
	struct slot *slot = slot_of(r, n);

	weft_store_relaxed(&slot->number, 0);
	write_words(slot->words, elem, bytes);
	weft_store_release(&slot->number, n + 1); /* [number] */
	weft_store_release(&r->tail, n + 1);      /* [tail] */
}

/* How many get it; -EAGAIN without room. */
static int try_put(struct weft_bus *b, struct topic *t, const void *elem)
{
	if (t->joined == 0)
		return 0;
	if (!has_room(t))
		return -EAGAIN;
	write_message(&t->ring, elem, b->opts.elem_size);
	b->published++;
	b->delivered += t->joined;
	for (struct list *l = t->members.next; l != &t->members; l = l->next)
		weft_waiters_wake(&member_at(l)->sub->ready, 1);
	return (int)t->joined;
}

struct put {
	struct weft_bus *b;
	struct topic *t;
	const void *elem;
};

static int look_for_room(void *arg)
{
	const struct put *p = arg;
	int err;

	weft_lock_acquire(&p->b->lock);
	err = weft_bus_shut(p->b);
	if (!err)
		err = try_put(p->b, p->t, p->elem);
	weft_lock_release(&p->b->lock);
	return err;
}

int weft_bus_publish_ring(struct weft_bus *b, struct topic *t, const void *elem,
                          int64_t deadline_ns)
{
	struct put p = { b, t, elem };
	int n = try_put(b, t, elem);

	if (n != -EAGAIN)
		return n;
	if (deadline_ns <= WEFT_NOW)
		return -ETIMEDOUT;
	t->refs++;
	weft_lock_release(&b->lock);
	n = weft_waiters_wait(&t->ring.room, "room in a topic", look_for_room,
	                      &p, NULL, deadline_ns);
	weft_lock_acquire(&b->lock);
	weft_bus_topic_put(t);
	return n;
}

/* --- receiving: without the lock --- */

/* Go on to message n, and miss those before it: of what the member may read,
 * which ends at `end`. */
static uint64_t skip_to(struct membership *m, uint64_t cursor, uint64_t n,
                        uint64_t end)
{
	n = n < end ? n : end;
	sub_missed(m->sub, n - cursor);
	weft_store_release(&m->cursor, n); /* [cursor] */
	return n;
}

/* Where to go on when message n, which was there, is not any more. While it is
 * overwritten, it is the one that is just about to be too old. */
static uint64_t behind_lost(const struct ring *r, uint64_t n, uint64_t tail)
{
	return tail > r->cap && tail - r->cap > n ? tail - r->cap : n + 1;
}

static inline bool read_message(const struct ring *r, uint64_t n, void *elem,
                                size_t bytes)
{
	struct slot *slot = slot_of(r, n);

	if (weft_load_acquire(&slot->number) != n + 1) /* [number] */
		return false;
	read_words(elem, slot->words, bytes);
	return weft_load_relaxed(&slot->number) == n + 1;
}

/* One who blocks has come to message n: see want(). */
static inline void make_room(struct ring *r, uint64_t n)
{
	weft_barrier_compiler();
	if (!r->asks || n == weft_load_relaxed(&r->wanted))
		weft_waiters_wake(&r->room, 1);
}

/* The next message of one topic. -EAGAIN; -EPIPE when there will be none;
 * -EOVERFLOW when some were missed by one that may not. */
static int read_next(struct membership *m, void *elem)
{
	struct ring *r = &m->topic->ring;
	size_t bytes = m->sub->elem_size;
	uint64_t n = weft_load_relaxed(&m->cursor), tail;
	uint64_t end = weft_load_acquire(&m->end); /* [end] */

	if (m->sub->opts.slow == WEFT_SLOW_LATEST) {
		tail = weft_load_acquire(&r->tail); /* [tail] */
		tail = tail < end ? tail : end;
		if (tail > n + 1)
			n = skip_to(m, n, tail - 1, end);
	}
	while (n < end && !read_message(r, n, elem, bytes)) {
		tail = weft_load_acquire(&r->tail); /* [tail] */
		if (n >= tail)
			return -EAGAIN;
		if (read_message(r, n, elem, bytes))
			break; /* it came between the two looks */
		if (m->sub->opts.slow == WEFT_SLOW_DISCONNECT)
			return -EOVERFLOW;
		n = skip_to(m, n, behind_lost(r, n, tail), end);
	}
	if (n >= end)
		return -EPIPE;
	weft_store_release(&m->cursor, n + 1); /* [cursor] */
	make_room(r, n + 1);
	return 0;
}

/* The one that read_only() may take from; NULL. */
static struct membership *only_one(const struct weft_sub *s)
{
	struct list *l = s->view.next;

	if (l == &s->view || l->next != &s->view ||
	    weft_load_relaxed(&s->closed) || s->opts.slow == WEFT_SLOW_LATEST)
		return NULL;
	return list_entry(l, struct membership, in_view);
}

/* See which memberships there are, and let go of those that are over. */
static void look_what_changed(struct weft_sub *s)
{
	struct list *l, *next;

	weft_lock_acquire(&s->bus->lock);
	weft_store_relaxed(&s->changed, false);
	for (l = s->memberships.next; l != &s->memberships; l = next) {
		struct membership *m = membership_at(l);

		next = l->next;
		if (weft_load_relaxed(&m->cursor) >= weft_load_relaxed(&m->end))
			weft_bus_membership_over(m);
		else if (list_is_empty(&m->in_view))
			list_push(&s->view, &m->in_view);
	}
	s->only = only_one(s);
	weft_lock_release(&s->bus->lock);
}

/* The next message of any of them: that which has had its turn goes last. */
static int read_any(struct weft_sub *s, void *elem)
{
	bool over = false;
	struct list *l;
	int err;

	for (l = s->view.next; l != &s->view; l = l->next) {
		err = read_next(list_entry(l, struct membership, in_view),
		                elem);
		if (!err && l->next != &s->view) {
			list_unlink(l);
			list_push(&s->view, l);
		}
		if (!err || err == -EOVERFLOW)
			return err;
		over |= err == -EPIPE;
	}
	if (over)
		look_what_changed(s);
	return -EAGAIN;
}

struct taking {
	struct weft_sub *s;
	void *elem;
};

static int look_for_message(void *arg)
{
	const struct taking *t = arg;
	struct weft_sub *s = t->s;
	bool closed =
	        weft_load_acquire(&s->closed); /* [closed] before changed */
	int err;

	if (weft_ending_is_set(&s->bus->end))
		return weft_ending_why(&s->bus->end);
	if (weft_load_acquire(&s->changed)) /* [changed] */
		look_what_changed(s);
	err = read_any(s, t->elem);
	if (err == -EOVERFLOW) {
		weft_bus_cut_off(s);
		return -EPIPE;
	}
	return err == -EAGAIN && closed && list_is_empty(&s->view) ? -EPIPE
	                                                           : err;
}

/* The next message of the only topic, if that is there and all is as usual: an
 * end of any kind is a change. */
static inline bool read_only(struct weft_sub *s, void *elem)
{
	struct membership *m = s->only;
	struct ring *r;
	uint64_t n;

	if (!m || weft_load_acquire(&s->changed)) /* [changed] */
		return false;
	r = &m->topic->ring;
	n = weft_load_relaxed(&m->cursor);
	if (!read_message(r, n, elem, s->elem_size))
		return false;
	weft_store_release(&m->cursor, n + 1); /* [cursor] */
	make_room(r, n + 1);
	return true;
}

__attribute__((noinline)) static int recv_any(struct weft_sub *s, void *elem,
                                              int64_t deadline_ns)
{
	struct taking t = { s, elem };
	int err = look_for_message(&t);

	if (err != -EAGAIN)
		return err;
	if (deadline_ns <= WEFT_NOW)
		return -ETIMEDOUT;
	return weft_waiters_wait(&s->ready, "message", look_for_message, &t,
	                         NULL, deadline_ns);
}

int weft_bus_recv_ring(struct weft_sub *s, void *elem, int64_t deadline_ns)
{
	return __builtin_expect(read_only(s, elem), 1)
	               ? 0
	               : recv_any(s, elem, deadline_ns);
}

/* --- the ring --- */

int weft_bus_make_ring(struct ring *r, const struct weft_bus_opts *opts)
{
	size_t words = (opts->elem_size + 7) / 8;

	r->cap = 1;
	while (r->cap < opts->cap)
		r->cap *= 2;
	r->slot_bytes = sizeof(struct slot) + words * sizeof(uint64_t);
	r->slots = cacheline_new(r->cap, r->slot_bytes);
	if (!r->slots)
		return -ENOMEM;
	r->asks = weft_barrier_is_asymmetric();
	weft_waiters_init(&r->room);
	weft_waiters_set_depth(&r->room, r->cap);
	return weft_waiters_set_wait(&r->room, opts->wait);
}
