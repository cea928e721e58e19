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

#define INLINE static inline __attribute__((always_inline))
#define COLD __attribute__((noinline))

struct slot {
	_Atomic uint64_t number; /* n + 1 of message n; 0 while written */
	_Atomic uint64_t words[];
};

static struct slot *slot_of(const struct ring *r, uint64_t n)
{
	return (struct slot *)(void *)(r->slots +
	                               (n & (r->cap - 1)) * r->slot_bytes);
}

static void write_words(const struct ring *r, _Atomic uint64_t *to,
                        const unsigned char *from)
{
	size_t words = r->elem_size / 8;
	uint64_t last = 0;

	for (size_t i = 0; i < words; i++) {
		uint64_t word;

		memcpy(&word, from + 8 * i, 8);
		weft_store_release(to + i, word); /* [words] */
	}
	if (r->elem_size % 8) {
		memcpy(&last, from + 8 * words, r->elem_size % 8);
		weft_store_release(to + words, last); /* [words] */
	}
}

/* Read message n, which is in that slot if it is there. */
INLINE bool read_words(struct slot *slot, uint64_t n, unsigned char *to,
                       size_t words)
{
	if (weft_load_acquire(&slot->number) != n + 1) /* [number] */
		return false;
	for (size_t i = 0; i < words; i++) {
		uint64_t word =
		        weft_load_acquire(slot->words + i); /* [words] */

		memcpy(to + 8 * i, &word, 8);
	}
	return weft_load_relaxed(&slot->number) == n + 1;
}

/* The same of elements that do not end with a word. */
COLD static bool read_bytes(struct slot *slot, uint64_t n, unsigned char *to,
                            size_t bytes)
{
	size_t words = bytes / 8;
	uint64_t last;

	if (!read_words(slot, n, to, words))
		return false;
	last = weft_load_acquire(slot->words + words); /* [words] */
	memcpy(to + 8 * words, &last, bytes % 8);
	return weft_load_relaxed(&slot->number) == n + 1;
}

/* --- publishing: under the lock --- */

/* Of those that block the one that is furthest behind; *oldest is the message
 * that it has yet to read. NULL: none is behind. */
static struct membership *find_last(struct topic *t, uint64_t *oldest)
{
	struct membership *last = NULL;

	*oldest = weft_load_relaxed(&t->ring.tail);
	for (struct list *l = t->members.next; l != &t->members; l = l->next) {
		struct membership *m = member_at(l);
		uint64_t cursor;

		if (m->sub->opts.slow != WEFT_SLOW_BLOCK)
			continue;
		cursor = weft_load_acquire(&m->cursor); /* [cursor] */
		if (cursor >= weft_load_relaxed(&m->end) || cursor > *oldest)
			continue;
		*oldest = cursor;
		last = m;
	}
	return last;
}

/* How many messages there is room for, by the cursors at the last look. */
static uint64_t room_of(struct ring *r)
{
	return r->cap - (weft_load_relaxed(&r->tail) - r->oldest);
}

/*
 * Look at the cursors, and if there is no room have the one that is last say
 * when it has made some. With the barrier between that and the next look, a
 * member whose new cursor is not seen there sees that it is asked; without it
 * they are not asked, and all of them say all the time.
 *
 * It is one of them, for a publish that was woken by the first that comes to
 * that message would find the others still there. But it must be one that was
 * asked before the last look: the one that was asked may have gone on without
 * seeing that, and another be last now.
 */
static uint64_t look_for_more(struct topic *t, bool ask)
{
	struct ring *r = &t->ring;
	struct membership *last;

	while ((last = find_last(t, &r->oldest)) && !room_of(r) && ask &&
	       weft_load_relaxed(&last->wanted) != r->oldest + 1) {
		weft_store_relaxed(&last->wanted, r->oldest + 1);
		if (r->asks)
			weft_barrier_heavy();
	}
	return room_of(r);
}

static void write_message(const struct ring *r, uint64_t n, const void *elem)
{
	struct slot *slot = slot_of(r, n);

	weft_store_relaxed(&slot->number, 0);
	write_words(r, slot->words, elem);
	weft_store_release(&slot->number, n + 1); /* [number] */
}

static void write_messages(struct ring *r, struct publication *p, uint64_t n,
                           size_t bytes)
{
	uint64_t tail = weft_load_relaxed(&r->tail), end = tail + n;

	for (; tail < end; tail++)
		write_message(r, tail, p->elems + p->done++ * bytes);
	weft_store_release(&r->tail, end); /* [tail] */
}

/* Write what there is room for, asking for more or not. 0; -EAGAIN when it is
 * not all. */
static int try_put(struct weft_bus *b, struct topic *t, struct publication *p,
                   bool ask)
{
	size_t before = p->done;

	p->got = (int)t->joined;
	while (p->done < p->n && t->joined) {
		uint64_t left = p->n - p->done, room = room_of(&t->ring);

		if (!room)
			room = look_for_more(t, ask);
		if (!room)
			break;
		write_messages(&t->ring, p, left < room ? left : room,
		               b->opts.elem_size);
	}
	if (p->done > before) {
		b->published += p->done - before;
		b->delivered += (p->done - before) * t->joined;
		for (struct list *l = t->members.next; l != &t->members;
		     l = l->next)
			weft_waiters_wake(&member_at(l)->sub->ready, 1);
	}
	if (!t->joined)
		p->done = p->n;
	return p->done == p->n ? 0 : -EAGAIN;
}

struct put {
	struct weft_bus *b;
	struct topic *t;
	struct publication *p;
};

static int look_for_room(void *arg)
{
	const struct put *put = arg;
	int err;

	weft_lock_acquire(&put->b->lock);
	err = weft_bus_shut(put->b);
	if (!err)
		err = try_put(put->b, put->t, put->p, true);
	weft_lock_release(&put->b->lock);
	return err;
}

int weft_bus_publish_ring(struct weft_bus *b, struct topic *t,
                          struct publication *p)
{
	struct put put = { b, t, p };
	int err = try_put(b, t, p, false);

	if (err != -EAGAIN)
		return err;
	if (p->deadline_ns <= WEFT_NOW)
		return -ETIMEDOUT;
	t->refs++;
	weft_lock_release(&b->lock);
	err = weft_waiters_wait(&t->ring.room, "room in a topic", look_for_room,
	                        &put, NULL, p->deadline_ns);
	weft_lock_acquire(&b->lock);
	weft_bus_topic_put(t);
	return err;
}

/* --- receiving: without the lock --- */

/* Go on to message n, and miss those before it: of what the member may read,
 * which ends at `end`. */
static void skip_to(struct membership *m, uint64_t cursor, uint64_t n,
                    uint64_t end)
{
	n = n < end ? n : end;
	sub_missed(m->sub, n - cursor);
	weft_store_release(&m->cursor, n); /* [cursor] */
}

/* Where to go on when message n, which was there, is not any more. While it is
 * overwritten, it is the one that is just about to be too old. */
static uint64_t behind_lost(const struct ring *r, uint64_t n, uint64_t tail)
{
	return tail > r->cap && tail - r->cap > n ? tail - r->cap : n + 1;
}

INLINE bool read_message(const struct ring *r, uint64_t n, unsigned char *elem)
{
	size_t bytes = r->elem_size;

	if (__builtin_expect(bytes == 8, 1))
		return read_words(slot_of(r, n), n, elem, 1);
	return bytes % 8 ? read_bytes(slot_of(r, n), n, elem, bytes)
	                 : read_words(slot_of(r, n), n, elem, bytes / 8);
}

/* The cursor has gone from `from` to `to`: whether a publish is to be told, see
 * look_for_more(). */
INLINE bool makes_room(struct membership *m, uint64_t from, uint64_t to)
{
	weft_barrier_compiler();
	return __builtin_expect(weft_load_relaxed(&m->wanted) - from - 1 <
	                                to - from,
	                        0) ||
	       !m->topic->ring.asks;
}

COLD static size_t make_room(struct membership *m, size_t n)
{
	weft_waiters_wake(&m->topic->ring.room, 1);
	return n;
}

/* Read up to n messages, one behind the other, from `from` on. How many. */
INLINE size_t read_run(struct membership *m, unsigned char *elems, size_t n,
                       uint64_t from)
{
	const struct ring *r = &m->topic->ring;
	size_t i = 0;

	for (; i < n; i++, elems += r->elem_size)
		if (!read_message(r, from + i, elems))
			break;
	if (__builtin_expect(i == 0, 0))
		return 0;
	weft_store_release(&m->cursor, from + i); /* [cursor] */
	return makes_room(m, from, from + i) ? make_room(m, i) : i;
}

/* The last message of a topic that there is, if it has not been read. */
static void skip_to_latest(struct membership *m, uint64_t end)
{
	uint64_t n = weft_load_relaxed(&m->cursor);
	uint64_t tail = weft_load_acquire(&m->topic->ring.tail); /* [tail] */

	tail = tail < end ? tail : end;
	if (tail > n + 1)
		skip_to(m, n, tail - 1, end);
}

/* The next messages of one topic. -EAGAIN; -EPIPE when there will be none;
 * -EOVERFLOW when some were missed by one that may not. */
static int read_next(struct membership *m, void *elems, size_t n, size_t *done)
{
	struct ring *r = &m->topic->ring;
	uint64_t end = weft_load_acquire(&m->end), at, tail; /* [end] */

	if (m->sub->opts.slow == WEFT_SLOW_LATEST)
		skip_to_latest(m, end);
	while ((at = weft_load_relaxed(&m->cursor)) < end) {
		*done = read_run(m, elems, end - at < n ? end - at : n, at);
		if (*done)
			return 0;
		tail = weft_load_acquire(&r->tail); /* [tail] */
		if (at >= tail)
			return -EAGAIN;
		*done = read_run(m, elems, 1, at);
		if (*done)
			return 0; /* it came between the two looks */
		if (m->sub->opts.slow == WEFT_SLOW_DISCONNECT)
			return -EOVERFLOW;
		skip_to(m, at, behind_lost(r, at, tail), end);
	}
	return -EPIPE;
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

/* The next messages of one of them: that which has had its turn goes last. */
static int read_any(struct weft_sub *s, void *elems, size_t n, size_t *done)
{
	bool over = false;
	struct list *l;
	int err;

	for (l = s->view.next; l != &s->view; l = l->next) {
		err = read_next(list_entry(l, struct membership, in_view),
		                elems, n, done);
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
	void *elems;
	size_t n, *done;
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
	err = read_any(s, t->elems, t->n, t->done);
	if (err == -EOVERFLOW) {
		weft_bus_cut_off(s);
		return -EPIPE;
	}
	return err == -EAGAIN && closed && list_is_empty(&s->view) ? -EPIPE
	                                                           : err;
}

/* The next messages of the only topic, if there are any and all is as usual: an
 * end of any kind is a change. How many. */
INLINE size_t read_only(struct weft_sub *s, void *elems, size_t n)
{
	struct membership *m = s->only;

	if (!m || weft_load_acquire(&s->changed)) /* [changed] */
		return 0;
	return read_run(m, elems, n, weft_load_relaxed(&m->cursor));
}

static int recv_any(struct weft_sub *s, void *elems, size_t n, size_t *done,
                    int64_t deadline_ns)
{
	struct taking t = { s, elems, n, done };
	int err = look_for_message(&t);

	if (err != -EAGAIN)
		return err;
	if (deadline_ns <= WEFT_NOW)
		return -ETIMEDOUT;
	return weft_waiters_wait(&s->ready, "message", look_for_message, &t,
	                         NULL, deadline_ns);
}

COLD static int recv_one(struct weft_sub *s, void *elem, int64_t deadline_ns)
{
	size_t done;

	return recv_any(s, elem, 1, &done, deadline_ns);
}

int weft_bus_recv_ring(struct weft_sub *s, void *elem, int64_t deadline_ns)
{
	return __builtin_expect(read_only(s, elem, 1) != 0, 1)
	               ? 0
	               : recv_one(s, elem, deadline_ns);
}

int weft_bus_recv_ring_many(struct weft_sub *s, void *elems, size_t n,
                            size_t *done, int64_t deadline_ns)
{
	*done = read_only(s, elems, n);
	return *done ? 0 : recv_any(s, elems, n, done, deadline_ns);
}

/* --- the ring --- */

int weft_bus_make_ring(struct ring *r, const struct weft_bus_opts *opts)
{
	r->cap = 1;
	while (r->cap < opts->cap)
		r->cap *= 2;
	r->elem_size = opts->elem_size;
	r->slot_bytes = sizeof(struct slot) + (r->elem_size + 7) / 8 * 8;
	r->slots = cacheline_new(r->cap, r->slot_bytes);
	if (!r->slots)
		return -ENOMEM;
	r->asks = weft_barrier_is_asymmetric();
	weft_waiters_init(&r->room);
	weft_waiters_set_depth(&r->room, r->cap);
	return weft_waiters_set_wait(&r->room, opts->wait);
}
