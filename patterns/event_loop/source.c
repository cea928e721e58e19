/*
 * Sources, the lanes that their events come through, and whose turn it is.
 *
 * A loop that selects has a lane for each source; one of a queue has a lane for
 * each priority, whose events carry the tag of their source behind them. What
 * is posted has a lane of its own in both.
 */
#include "base/cacheline.h"
#include "internal.h"

#define TAG_BITS 32

/* The most that has to be built before it goes into a queue. */
#define TAGGED_MAX (WEFT_ELEM_MAX + sizeof(uint64_t))

/* --- lanes --- */

/* After a change: where each level begins, and how many lanes are left. */
static void renumber(struct weft_loop *l)
{
	l->live = 0;
	for (unsigned p = 0; p < LEVELS; p++)
		l->level[p].first = l->level[p].n = 0;
	for (unsigned i = 0; i < l->lanes; i++) {
		const struct lane *lane = &l->lane[i];
		struct level *level = &l->level[lane->prio];

		if (!level->n++)
			level->first = i;
		l->live += !lane->ended;
		l->cases[i] = weft_case_recv(lane->ended ? NULL : lane->chan,
		                             l->held);
	}
	for (unsigned p = 0; p < LEVELS; p++)
		if (l->level[p].cursor >= l->level[p].n)
			l->level[p].cursor = 0;
	l->cases[l->lanes] = weft_case_recv(l->wake, NULL);
}

static int make_room(struct weft_loop *l)
{
	unsigned room = l->room ? 2 * l->room : 8;
	struct weft_case *cases;
	struct lane *lane;

	if (l->lanes < l->room)
		return 0;
	cases = realloc(l->cases, (room + 1) * sizeof(*cases));
	if (!cases)
		return -ENOMEM;
	l->cases = cases;
	lane = realloc(l->lane, room * sizeof(*lane));
	if (!lane)
		return -ENOMEM;
	l->lane = lane;
	l->room = room;
	return 0;
}

/* Under the lock. Takes over the reference to the channel; not after an error.
 * Higher priorities stand first, and of one those that came first. */
static int insert_lane(struct weft_loop *l, struct weft_chan *chan,
                       struct weft_loop_source *source, unsigned prio)
{
	int err = l->lanes < LANES_MAX ? make_room(l) : -ENOSPC;
	unsigned at = 0;

	if (err)
		return err;
	while (at < l->lanes && l->lane[at].prio >= prio)
		at++;
	memmove(&l->lane[at + 1], &l->lane[at],
	        (l->lanes - at) * sizeof(*l->lane));
	l->lane[at] = (struct lane){ chan, source, prio, false };
	l->lanes++;
	renumber(l);
	if (weft_load_relaxed(&l->closed) || weft_ending_is_set(&l->end))
		weft_chan_close(chan);
	return 0;
}

static int add_lane(struct weft_loop *l, const struct weft_chan_impl *impl,
                    size_t cap, size_t elem_size,
                    struct weft_loop_source *source, unsigned prio,
                    struct weft_chan **out)
{
	const struct weft_chan_opts opts = { .wait = l->opts.wait };
	struct weft_chan *c;
	int err = weft_chan_new(&c, impl, cap, elem_size, &opts);

	if (err)
		return err;
	if (source && !weft_chan_can_select(c)) {
		weft_chan_unref(c);
		return -EOPNOTSUPP;
	}
	weft_lock_acquire(&l->lock);
	err = insert_lane(l, c, source, prio);
	weft_lock_release(&l->lock);
	if (err)
		weft_chan_unref(c);
	else
		*out = c;
	return err;
}

static void remove_lane(struct weft_loop *l, unsigned i)
{
	struct weft_chan *c = l->lane[i].chan;

	weft_lock_acquire(&l->lock);
	l->lanes--;
	memmove(&l->lane[i], &l->lane[i + 1],
	        (l->lanes - i) * sizeof(*l->lane));
	renumber(l);
	weft_lock_release(&l->lock);
	weft_chan_unref(c);
}

void weft_loop_lanes_close(struct weft_loop *l)
{
	for (unsigned i = 0; i < l->lanes; i++)
		weft_chan_close(l->lane[i].chan);
}

bool weft_loop_lanes_are_empty(const struct weft_loop *l)
{
	if (weft_load_relaxed(&l->held_of))
		return false;
	for (unsigned i = 0; i < l->lanes; i++)
		if (weft_chan_len(l->lane[i].chan))
			return false;
	return true;
}

void weft_loop_lane_ended(struct weft_loop *l, unsigned i)
{
	l->lane[i].ended = true;
	l->cases[i].c = NULL;
	l->live--;
}

/* --- the slots of a queue's sources --- */

static uint64_t tag_of(const struct weft_loop *l, unsigned i)
{
	return (uint64_t)l->slot[i].generation << TAG_BITS | i;
}

static int take_slot(struct weft_loop *l, struct weft_loop_source *s)
{
	struct slot *slot;
	unsigned i = 0;

	while (i < l->slots && l->slot[i].source)
		i++;
	if (i == l->slots) {
		slot = realloc(l->slot, (i + 1) * sizeof(*slot));
		if (!slot)
			return -ENOMEM;
		l->slot = slot;
		l->slot[i].generation = 0;
		l->slots++;
	}
	l->slot[i].source = s;
	l->slot[i].generation++;
	s->tag = tag_of(l, i);
	return 0;
}

static struct weft_loop_source *find_by_tag(const struct weft_loop *l)
{
	uint64_t tag;
	uint32_t i;

	memcpy(&tag, l->elem + l->tag_at, sizeof(tag));
	i = (uint32_t)tag;
	return i < l->slots && tag == tag_of(l, i) ? l->slot[i].source : NULL;
}

/* --- whose turn it is --- */

/* An event that nobody handles. */
static void drop(struct weft_loop *l, const struct lane *lane, void *elem)
{
	count_add(&l->n.discarded, 1);
	if (l->opts.drop && lane->source != &l->post)
		l->opts.drop(elem, l->opts.drop_arg);
}

/* The event in l->held has its turn, or is discarded. */
static int take_held(struct weft_loop *l, const struct lane *lane, void *elem)
{
	if (weft_load_relaxed(&l->held_of) != lane->chan)
		return -EAGAIN;
	weft_store_relaxed(&l->held_of, NULL);
	memcpy(elem, l->held, weft_chan_elem_size(lane->chan));
	return 0;
}

/* The next event of a lane. */
static int receive(struct weft_loop *l, const struct lane *lane, void *elem)
{
	return take_held(l, lane, elem) ? weft_chan_try_recv(lane->chan, elem)
	                                : 0;
}

bool weft_loop_hold_any(struct weft_loop *l)
{
	for (unsigned i = 0; i < l->lanes; i++) {
		struct weft_chan *c = l->lane[i].chan;
		int err = l->lane[i].ended ? -EAGAIN
		                           : weft_chan_try_recv(c, l->held);

		if (!err) {
			weft_store_relaxed(&l->held_of, c);
			return true;
		}
		if (err == -EPIPE)
			weft_loop_lane_ended(l, i);
	}
	return false;
}

/* That of lane i, which is in l->elem; NULL for none. */
static struct weft_loop_source *source_in(struct weft_loop *l, unsigned i)
{
	struct weft_loop_source *s = l->lane[i].source;

	if (!s)
		s = find_by_tag(l);
	if (!s)
		drop(l, &l->lane[i], l->elem);
	return s;
}

/* The next event of a lane, past those whose source was freed. */
static struct weft_loop_source *take(struct weft_loop *l, unsigned i)
{
	struct weft_loop_source *s = NULL;
	int err;

	if (l->lane[i].ended)
		return NULL;
	do {
		err = receive(l, &l->lane[i], l->elem);
		if (!err)
			s = source_in(l, i);
	} while (!err && !s);
	if (err == -EPIPE)
		weft_loop_lane_ended(l, i);
	return s;
}

/* Those of one priority in turn, from the one behind the last. */
static struct weft_loop_source *look_at(struct weft_loop *l,
                                        struct level *level)
{
	struct weft_loop_source *s = NULL;

	level->passed = 0;
	for (unsigned k = 0; k < level->n && !s; k++) {
		s = take(l, level->first + level->cursor);
		if (++level->cursor == level->n)
			level->cursor = 0;
	}
	return s;
}

/* Of the priorities that were not looked at, the highest as age has it, and of
 * those the lower one, which has waited longer; LEVELS: there is none. */
static unsigned next_level(const struct weft_loop *l, unsigned looked)
{
	uint64_t best = 0, rank;
	unsigned at = LEVELS;

	for (unsigned p = LEVELS; p-- > 0;) {
		const struct level *level = &l->level[p];

		if (!level->n || looked & 1u << p)
			continue;
		rank = p;
		if (level->passed >= l->opts.age)
			rank += level->passed / l->opts.age;
		if (at == LEVELS || rank >= best) {
			at = p;
			best = rank;
		}
	}
	return at;
}

struct weft_loop_source *weft_loop_pick(struct weft_loop *l)
{
	struct weft_loop_source *s = NULL;
	unsigned looked = 0, p;

	while (!s && (p = next_level(l, looked)) < LEVELS) {
		looked |= 1u << p;
		s = look_at(l, &l->level[p]);
	}
	for (p = 0; s && p < LEVELS; p++)
		if (!(looked & 1u << p))
			l->level[p].passed++;
	return s;
}

void weft_loop_handle(struct weft_loop *l, struct weft_loop_source *s)
{
	count_add(&l->n.events, 1);
	if (weft_load_relaxed(&l->closed))
		count_add(&l->n.drained, 1);
	weft_loop_done(l, s->fn(s->arg, l->elem));
}

/* A handler that frees its source still has its event. */
static void discard_lane(struct weft_loop *l, const struct lane *lane)
{
	while (!receive(l, lane, l->scrap))
		drop(l, lane, l->scrap);
}

void weft_loop_discard(struct weft_loop *l)
{
	for (unsigned i = 0; i < l->lanes; i++)
		discard_lane(l, &l->lane[i]);
}

/* --- sources --- */

/* Where a new source's events go in. */
static int give_lane(struct weft_loop *l, struct weft_loop_source *s,
                     unsigned prio)
{
	const struct level *level = &l->level[prio];
	size_t cap = l->opts.cap ? l->opts.cap : 1;

	if (!weft_loop_is_queue(l))
		return add_lane(l, l->opts.impl, l->opts.cap, l->opts.elem_size,
		                s, prio, &s->chan);
	for (unsigned i = level->first; i < level->first + level->n; i++)
		if (!l->lane[i].source) {
			s->chan = l->lane[i].chan;
			return 0;
		}
	return add_lane(l, l->opts.impl, cap, l->tag_at + sizeof(uint64_t),
	                NULL, prio, &s->chan);
}

int weft_loop_source_new(struct weft_loop_source **out, struct weft_loop *l,
                         unsigned prio, weft_loop_event_fn fn, void *arg)
{
	struct weft_loop_source *s;
	int err;

	if (!out || !l || !fn || prio > WEFT_LOOP_PRIO_MAX)
		return -EINVAL;
	if (!weft_loop_is_touchable(l))
		return -EBUSY;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->l = l;
	s->fn = fn;
	s->arg = arg;
	err = weft_loop_is_queue(l) ? take_slot(l, s) : 0;
	if (!err)
		err = give_lane(l, s, prio);
	if (err) {
		if (s->tag)
			l->slot[(uint32_t)s->tag].source = NULL;
		free(s);
		return err;
	}
	*out = s;
	return 0;
}

static void drop_source(struct weft_loop *l, struct weft_loop_source *s)
{
	unsigned i = 0;

	if (s->tag) {
		l->slot[(uint32_t)s->tag].source = NULL;
		return; /* what it holds is dropped when it is come to */
	}
	while (l->lane[i].source != s)
		i++;
	weft_chan_close(s->chan);
	discard_lane(l, &l->lane[i]);
	remove_lane(l, i);
}

void weft_loop_source_free(struct weft_loop_source *s)
{
	if (!s)
		return;
	drop_source(s->l, s);
	free(s);
}

/* --- sending --- */

static int put_in(struct weft_loop_source *s, const void *elem, bool may_wait,
                  int64_t deadline_ns)
{
	struct weft_loop *l = s->l;
	int err = weft_chan_try_send(s->chan, elem);

	if (err == -EAGAIN && may_wait)
		err = weft_loop_is_inside(l)
		              ? -EDEADLK
		              : weft_chan_send(s->chan, elem, deadline_ns);
	if (!err && weft_loop_is_queue(l))
		weft_loop_wake(l);
	return weft_ending_of(&l->end, err);
}

static int put_tagged(struct weft_loop_source *s, const void *event,
                      bool may_wait, int64_t deadline_ns)
{
	_Alignas(uint64_t) unsigned char elem[TAGGED_MAX];
	struct weft_loop *l = s->l;

	if (l->opts.elem_size)
		memcpy(elem, event, l->opts.elem_size);
	memcpy(elem + l->tag_at, &s->tag, sizeof(s->tag));
	return put_in(s, elem, may_wait, deadline_ns);
}

static int send(struct weft_loop_source *s, const void *event, bool may_wait,
                int64_t deadline_ns)
{
	if (!s || (!event && s->l->opts.elem_size))
		return -EINVAL;
	return s->tag ? put_tagged(s, event, may_wait, deadline_ns)
	              : put_in(s, event, may_wait, deadline_ns);
}

int weft_loop_send(struct weft_loop_source *s, const void *event,
                   int64_t deadline_ns)
{
	return send(s, event, true, deadline_ns);
}

int weft_loop_try_send(struct weft_loop_source *s, const void *event)
{
	return send(s, event, false, WEFT_NOW);
}

/* --- what is posted --- */

static int call_posted(void *arg, void *event)
{
	struct posted p;

	(void)arg;
	memcpy(&p, event, sizeof(p));
	return p.fn(p.arg);
}

int weft_loop_post(struct weft_loop *l, weft_loop_fn fn, void *arg,
                   int64_t deadline_ns)
{
	const struct posted p = { fn, arg };

	if (!l || !fn)
		return -EINVAL;
	return put_in(&l->post, &p, true, deadline_ns);
}

/* A select takes fewer steps over channels of one kind (core/chan/select.c). */
const struct weft_chan_impl *weft_loop_impl_beside(const struct weft_loop *l)
{
	const struct weft_chan_impl *handoff = weft_chan_impl_find("handoff");

	return l->opts.impl == handoff ? handoff : weft_chan_impl_find("ring");
}

int weft_loop_lanes_init(struct weft_loop *l)
{
	size_t size = l->opts.elem_size, cap = l->opts.cap ? l->opts.cap : 1;

	l->tag_at = (size + 7) & ~(size_t)7;
	size = l->tag_at + sizeof(uint64_t);
	if (size < sizeof(struct posted))
		size = sizeof(struct posted);
	size = cacheline_round_up(size);
	l->elem = cacheline_new(3, size);
	if (!l->elem)
		return -ENOMEM;
	l->scrap = l->elem + size;
	l->held = l->scrap + size;
	l->post = (struct weft_loop_source){ .l = l, .fn = call_posted };
	return add_lane(l, weft_loop_impl_beside(l), cap, sizeof(struct posted),
	                &l->post, l->opts.post_prio, &l->post.chan);
}

void weft_loop_lanes_free(struct weft_loop *l)
{
	weft_loop_discard(l);
	for (unsigned i = 0; i < l->slots; i++)
		free(l->slot[i].source);
	for (unsigned i = 0; i < l->lanes; i++) {
		if (l->lane[i].source != &l->post)
			free(l->lane[i].source);
		weft_chan_unref(l->lane[i].chan);
	}
	free(l->slot);
	free(l->lane);
	free(l->cases);
	free(l->elem);
}
