/*
 * select: one wait over several channels.
 *
 * The cases are tried in random order. When none is ready the select joins
 * their wait queues, which are of two kinds (task/waitq.h), in this order:
 *
 * 1. The completing channels. All of their locks are taken, in order of
 *    address; each case is tried again and, if none goes, enqueued; then the
 *    locks are released. So nothing is missed in between, and from here on
 *    a peer that comes to one of them completes this wait, unless it is
 *    decided: one claim word for all cases sees to it that only one happens.
 *
 * 2. The notifying ones, after some spinning. A registration there is a hint
 *    to look again. Before it tries them the select holds its own claim, so
 *    that no other case can be completed meanwhile; a peer that wants to
 *    complete one waits for the outcome, and must, for if the try fails the
 *    wait goes on. That cannot deadlock: while it holds its claim a select
 *    takes no lock of a completing channel and waits for no task that could be
 *    waiting for it.
 *
 * Two selects meet at a completing channel as plain operations do: one is
 * enqueued and the other one, which is not yet, completes it.
 *
 * What a notification was good for must not be lost when another case wins:
 * each entry remembers that it was told and has found nothing since, and on
 * leaving passes that on.
 *
 * "No case is ready" is a statement about one instant. Each channel can be
 * found empty while another was filled, so looking at one after the other does
 * not do: the notifying ones are polled twice, and no position may have moved
 * between; the completing ones are locked all that time. A wait whose deadline
 * has come withdraws and then looks once more in that way.
 *
 * After Go's selectgo (runtime/select.go) and crossbeam-channel's select.
 */
#include <errno.h>
#include <stdlib.h>

#include <weft/select.h>

#include "base/check.h"
#include "base/rng.h"
#include "chan/internal.h"
#include "task/internal.h"

/* Cases that need no allocation. */
#define ON_STACK 16

/* One case while the select waits. */
struct entry {
	struct weft_case *cs;
	struct waiter w;
	uint64_t pos; /* where the last poll saw its channel */
};

struct selection {
	struct weft_case *cases;
	int64_t deadline_ns;

	/* The numbers of the cases that have a channel, in a random order that
	 * is drawn anew with every round. */
	uint16_t *order;
	uint32_t n;

	/* For waiting: entry i is of cases[i]. */
	struct entry *entry;
	/* Entries at completing channels, by the address of the lock. */
	struct entry **locked;
	uint32_t completing;
	struct claim claim; /* open to others only while some are enqueued */

	/* The deadline, or earlier when a channel must be looked at again. */
	int64_t until_ns;
};

bool weft_chan_can_select(const struct weft_chan *c)
{
	return c && c->selectable;
}

/* --- the cases --- */

/* On the way of every select, so it reads one line of the channel. */
static bool is_good(const struct weft_case *cs)
{
	const struct weft_chan *c = cs->c;

	return (unsigned)cs->op <= WEFT_CASE_SEND &&
	       (!c || (c->selectable && (cs->elem || c->elem_size == 0)));
}

/* What is_good() is against. */
static int why_not(const struct weft_case *cs)
{
	if ((unsigned)cs->op > WEFT_CASE_SEND ||
	    (!cs->elem && cs->c->elem_size))
		return -EINVAL;
	return -EOPNOTSUPP;
}

/* Check all cases and list those that have a channel. */
static int select_gather(struct selection *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!is_good(&s->cases[i]))
			return why_not(&s->cases[i]);
		s->order[s->n] = (uint16_t)i;
		s->n += s->cases[i].c != NULL;
	}
	return s->n == 0 && s->deadline_ns == WEFT_FOREVER ? -EINVAL : 0;
}

/* The i-th case of a new random order, of which i were drawn. */
static uint16_t select_draw(struct selection *s, struct rng *rng, uint32_t i)
{
	uint32_t k = i + (uint32_t)rng_below(rng, s->n - i);
	uint16_t drawn = s->order[k];

	s->order[k] = s->order[i];
	s->order[i] = drawn;
	return drawn;
}

/* Case k has happened, with that outcome. */
static int select_chosen(struct selection *s, uint16_t k, int err)
{
	s->cases[k].err = err;
	return k;
}

/* Try every case once. Returns the one that happened, or -EAGAIN. */
static int select_try_all(struct selection *s)
{
	struct rng *rng = &weft_self()->rng;

	for (uint32_t i = 0; i < s->n; i++) {
		uint16_t k = select_draw(s, rng, i);
		struct weft_case *cs = &s->cases[k];
		int err = chan_try(cs->c, cs->op, cs->elem);

		if (err == -EAGAIN)
			continue;
		if (!err)
			chan_notify_peers(cs->c, cs->op);
		return select_chosen(s, k, err);
	}
	return -EAGAIN;
}

/* --- the completing channels --- */

static struct spin *lock_of(const struct entry *e)
{
	return e->cs->c->completing->lock(e->cs->c->state);
}

static int by_lock(const void *a, const void *b)
{
	uintptr_t x = (uintptr_t)lock_of(*(struct entry *const *)a);
	uintptr_t y = (uintptr_t)lock_of(*(struct entry *const *)b);

	return x < y ? -1 : x > y;
}

/* The same channel may stand there several times, and is locked once. */
static bool is_first_of_its_lock(const struct selection *s, uint32_t i)
{
	return i == 0 || lock_of(s->locked[i]) != lock_of(s->locked[i - 1]);
}

static void lock_completing(struct selection *s)
{
	for (uint32_t i = 0; i < s->completing; i++)
		if (is_first_of_its_lock(s, i))
			spin_lock(lock_of(s->locked[i]));
}

static void unlock_completing(struct selection *s)
{
	for (uint32_t i = 0; i < s->completing; i++)
		if (is_first_of_its_lock(s, i))
			spin_unlock(lock_of(s->locked[i]));
}

/* Try those cases, with all locks held. *wake is for later, by wake_peer(). */
static int try_completing(struct selection *s, struct weft_task **wake)
{
	struct rng *rng = &weft_self()->rng;

	for (uint32_t i = 0; i < s->n; i++) {
		uint16_t k = select_draw(s, rng, i);
		struct weft_case *cs = &s->cases[k];
		int err;

		if (!cs->c->completing)
			continue;
		err = cs->c->completing->now(cs->c->state, cs->op, cs->elem,
		                             wake);
		if (err != -EAGAIN)
			return select_chosen(s, k, err);
	}
	return -EAGAIN;
}

static void enqueue_completing(struct selection *s)
{
	for (uint32_t i = 0; i < s->completing; i++) {
		struct weft_case *cs = s->locked[i]->cs;

		cs->c->completing->enqueue(cs->c->state, cs->op,
		                           &s->locked[i]->w);
	}
}

/* The lock also keeps each record alive for the peer that is about to find out
 * that its wait is over. */
static void dequeue_completing(struct selection *s)
{
	for (uint32_t i = 0; i < s->completing; i++) {
		spin_lock(lock_of(s->locked[i]));
		list_unlink(&s->locked[i]->w.link);
		spin_unlock(lock_of(s->locked[i]));
	}
}

static void wake_peer(const struct selection *s, int k, struct weft_task *peer)
{
	if (peer)
		s->cases[k].c->completing->wake(s->cases[k].c->state, peer);
}

/* Do one of those cases, or else wait at all of them, with nothing in between.
 */
static int join_completing(struct selection *s)
{
	struct weft_task *peer = NULL;
	int k;

	lock_completing(s);
	k = try_completing(s, &peer);
	if (k == -EAGAIN)
		enqueue_completing(s);
	unlock_completing(s);
	wake_peer(s, k, peer);
	return k;
}

/* A peer has decided this wait. */
static int select_completed(struct selection *s)
{
	int k = weft_claim_case(&s->claim);

	CHECK_LE(0, k);
	return select_chosen(s, (uint16_t)k, s->entry[k].w.result);
}

/* --- the notifying channels --- */

/* Try those cases. The peers of one that succeeds are told later. */
static int try_notifying(struct selection *s)
{
	struct rng *rng = &weft_self()->rng;

	for (uint32_t i = 0; i < s->n; i++) {
		uint16_t k = select_draw(s, rng, i);
		struct weft_case *cs = &s->cases[k];
		int err;

		if (cs->c->completing)
			continue;
		err = chan_try(cs->c, cs->op, cs->elem);
		if (err != -EAGAIN)
			return select_chosen(s, k, err);
		/* What it was told of, somebody else has had. */
		waiter_found_nothing(&s->entry[k].w);
	}
	return -EAGAIN;
}

/* Poll each of them once. False when one is ready, or has moved since it was
 * polled before. */
static bool select_collect(struct selection *s, bool again)
{
	for (uint32_t i = 0; i < s->n; i++) {
		struct entry *e = &s->entry[s->order[i]];
		const struct weft_chan *c = e->cs->c;
		uint64_t pos = 0;

		if (c->completing)
			continue;
		if (chan_poll(c, e->cs->op, &pos) || (again && pos != e->pos))
			return false;
		e->pos = pos;
	}
	return true;
}

/* Whether none of them was ready at the instant between the two rounds. False
 * also when that cannot be told, because too much moves. */
static bool select_none_was_ready(struct selection *s)
{
	return select_collect(s, false) && select_collect(s, true);
}

static void link_hints(struct selection *s)
{
	bool any = false;

	for (uint32_t i = 0; i < s->n; i++) {
		struct entry *e = &s->entry[s->order[i]];

		if (e->cs->c->completing)
			continue;
		weft_waitq_link(chan_queue(e->cs->c, e->cs->op), &e->w);
		any = true;
	}
	if (any) /* pairs with barrier_light_is_set() */
		weft_barrier_registered();
}

static void rearm_hints(struct selection *s)
{
	bool any = false;

	for (uint32_t i = 0; i < s->n; i++) {
		struct entry *e = &s->entry[s->order[i]];

		if (e->cs->c->completing)
			continue;
		any |= weft_waitq_rearm(chan_queue(e->cs->c, e->cs->op), &e->w);
	}
	if (any)
		weft_barrier_registered(); /* pairs with barrier_light_is_set()
		                            */
}

static void leave_hint(struct entry *e, int err)
{
	struct weft_chan *c = e->cs->c;
	struct waitq *q = chan_queue(c, e->cs->op);

	if (weft_waitq_leave(q, &e->w) &&
	    weft_chan_must_pass_on(c, e->cs->op, err))
		waitq_relay(q);
}

/* Case k has happened, if any: the others pass on what they were told. */
static void leave_hints(struct selection *s, int k)
{
	for (uint32_t i = 0; i < s->n; i++) {
		uint16_t at = s->order[i];
		struct entry *e = &s->entry[at];

		if (!e->cs->c->completing)
			leave_hint(e, at == k ? e->cs->err : -EAGAIN);
	}
}

/* --- waiting --- */

/* One look at everything, once the completing cases are enqueued. Returns the
 * case that happened, or -EAGAIN. */
static int select_look(struct selection *s)
{
	int k;

	/* With nothing else to try, the claim can stay open to others. */
	if (s->completing == s->n)
		return weft_claim_case(&s->claim) < 0 ? -EAGAIN
		                                      : select_completed(s);
	if (s->completing && !weft_claim_hold(&s->claim))
		return select_completed(s);
	k = try_notifying(s);
	if (k == -EAGAIN) {
		claim_open(&s->claim);
		return k;
	}
	claim_give_up(&s->claim);
	if (s->cases[k].err == 0)
		chan_notify_peers(s->cases[k].c, s->cases[k].op);
	return k;
}

/* The deadline has come. Returns the case that was completed before this could
 * withdraw, or -ETIMEDOUT: nobody can complete one any more. */
static int select_give_up(struct selection *s)
{
	if (s->completing && !weft_claim_hold(&s->claim))
		return select_completed(s);
	claim_give_up(&s->claim);
	return -ETIMEDOUT;
}

/* To park at once if one of the channels says so; to spin if all of them do. A
 * signal has no say, unless there is nothing else. */
static enum weft_wait policy_of(const struct selection *s)
{
	bool all_spin = true, any = false;

	for (uint32_t i = 0; i < s->n; i++) {
		const struct weft_chan *c = s->cases[s->order[i]].c;

		if (c->signal)
			continue;
		if (c->opts.wait == WEFT_WAIT_PARK)
			return WEFT_WAIT_PARK;
		all_spin &= c->opts.wait == WEFT_WAIT_SPIN;
		any = true;
	}
	return any && all_spin ? WEFT_WAIT_SPIN : WEFT_WAIT_ADAPTIVE;
}

static uint32_t gap_of(const struct selection *s)
{
	uint32_t gap = UINT32_MAX;

	for (uint32_t i = 0; i < s->n; i++) {
		const struct weft_chan *c = s->cases[s->order[i]].c;

		if (!c->signal && c->gap < gap)
			gap = c->gap;
	}
	return gap;
}

static int spin_for_one(struct selection *s)
{
	struct spinner sp;
	int k = -EAGAIN;

	weft_spinner_init(&sp, policy_of(s), gap_of(s), false, s->until_ns);
	if (s->completing)
		sp.gap = 1; /* as in weft_claim_wait() */
	while (k == -EAGAIN && weft_spinner_turn(&sp))
		k = select_look(s);
	return k;
}

/* A case was told of while another was looked at, which may have used up the
 * permit: it may have waited for a lock. */
static bool a_hint_is_told(struct selection *s)
{
	for (uint32_t i = 0; i < s->n; i++) {
		struct entry *e = &s->entry[s->order[i]];

		if (!e->cs->c->completing && waiter_is_told(&e->w))
			return true;
	}
	return false;
}

/* Park once; the wait counts for one of the channels. True when the deadline
 * has come. */
static bool select_park_once(struct selection *s)
{
	const struct weft_case *cs = &s->cases[s->order[0]];
	int err;

	if (a_hint_is_told(s))
		return false;
	err = weft_waitq_park(chan_queue(cs->c, cs->op), "select", s->until_ns);
	return err && s->until_ns == s->deadline_ns;
}

static int park_for_one(struct selection *s)
{
	bool expired = false;
	int k;

	link_hints(s);
	while ((k = select_look(s)) == -EAGAIN && !expired) {
		/* Else it has been completed, which the next look finds. */
		if (!s->completing || weft_claim_announce_park(&s->claim))
			expired = select_park_once(s);
		rearm_hints(s);
	}
	if (k == -EAGAIN)
		k = select_give_up(s);
	leave_hints(s, k);
	return k;
}

/* What is left to do when the deadline has expired: to be sure. */
static int try_at_one_instant(struct selection *s)
{
	struct weft_task *peer;
	bool none;
	int k;

	do {
		peer = NULL;
		lock_completing(s);
		k = try_completing(s, &peer);
		none = k == -EAGAIN && select_none_was_ready(s);
		unlock_completing(s);
		wake_peer(s, k, peer);
		if (k == -EAGAIN && !none)
			k = select_try_all(s);
	} while (k == -EAGAIN && !none);
	return none ? -ETIMEDOUT : k;
}

static int wait_for_one(struct selection *s)
{
	int k = join_completing(s);

	if (k != -EAGAIN)
		return k;
	k = spin_for_one(s);
	if (k == -EAGAIN)
		k = park_for_one(s);
	dequeue_completing(s);
	return k == -ETIMEDOUT ? try_at_one_instant(s) : k;
}

/* Fill in what waiting takes: an entry for each case that has a channel. */
static void select_prepare(struct selection *s)
{
	struct weft_task *me = weft_self();

	claim_init(&s->claim);
	s->completing = 0;
	s->until_ns = s->deadline_ns;
	for (uint32_t i = 0; i < s->n; i++) {
		uint16_t k = s->order[i];
		struct weft_case *cs = &s->cases[k];

		s->entry[k] = (struct entry){ .cs = cs };
		s->entry[k].w = (struct waiter){ .task = me,
			                         .claim = &s->claim,
			                         .which = k,
			                         .elem = cs->elem };
		list_init(&s->entry[k].w.link);
		if (cs->c->completing)
			s->locked[s->completing++] = &s->entry[k];
		if (cs->c->due_ns < s->until_ns)
			s->until_ns = cs->c->due_ns;
	}
	qsort(s->locked, s->completing, sizeof(struct entry *), by_lock);
}

/* No case was ready at the first try. */
__attribute__((noinline)) static int select_slow(struct selection *s, size_t n)
{
	struct entry entry[ON_STACK], *locked[ON_STACK];
	bool expired =
	        s->deadline_ns <= WEFT_NOW || (s->deadline_ns != WEFT_FOREVER &&
	                                       weft_now() >= s->deadline_ns);
	void *memory = NULL;
	int k;

	/* The one try was at one instant, and late enough, there being no
	 * deadline that it may have come before. */
	if (s->n == 1 && s->deadline_ns <= WEFT_NOW)
		return -ETIMEDOUT;
	if (n > ON_STACK) {
		memory = malloc(
		        n * (sizeof(struct entry) + sizeof(struct entry *)));
		if (!memory)
			return -ENOMEM;
		s->entry = memory;
		s->locked = (struct entry **)(void *)(s->entry + n);
	} else {
		s->entry = entry;
		s->locked = locked;
	}
	select_prepare(s);
	k = expired ? try_at_one_instant(s) : wait_for_one(s);
	s->entry = NULL;
	s->locked = NULL;
	free(memory);
	return k;
}

int weft_select(struct weft_case *cases, size_t n, int64_t deadline_ns)
{
	uint16_t order[WEFT_SELECT_MAX];
	struct selection s;
	int k;

	if ((!cases && n) || n > WEFT_SELECT_MAX)
		return -EINVAL;
	s.cases = cases;
	s.deadline_ns = deadline_ns;
	s.order = order;
	s.n = 0;
	k = select_gather(&s, n);
	if (k)
		return k;
	if (s.n == 0) {
		weft_sleep_until(deadline_ns);
		return -ETIMEDOUT;
	}
	k = select_try_all(&s);
	return k == -EAGAIN ? select_slow(&s, n) : k;
}
