/*
 * Level 2: whether there is an order of all calls, which keeps to their times,
 * in which a channel as declared answers like that one after the other.
 *
 * The search of Wing and Gong: at each step one of the calls is done that no
 * other one is before, and if that leads nowhere, another one; with the memory
 * of Lowe, so that nothing is tried again from a state in which the same calls
 * are done and the channel is the same. Of each task the calls are done in
 * order, so how many of each is all there is to know about which.
 *
 * A call that changes nothing is done as soon as its answer is right: nothing
 * is ever gained by putting it off. At capacity 0 a send and a receive are done
 * in one step.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "stress/history/history.h"

/* The channel, and how far each task is. */
struct state {
	uint8_t next[HIST_SMALL_TASKS];
	bool closed;
	uint8_t len;
	uint16_t inside[HIST_SMALL_SENDS + 1]; /* sends, oldest first */
};

/* What a state is known by. Of each task the elements that are inside are its
 * latest in the order in which they went in, so the senders will do. */
struct key {
	uint64_t next, inside;
};

struct search {
	const struct history *h;
	const size_t *pair;
	size_t first[HIST_SMALL_TASKS], calls[HIST_SMALL_TASKS];
	unsigned tasks;

	struct key *seen; /* open addressing; next is never 0 in one */
	size_t mask, used;
	size_t budget;
};

/* --- what has been tried --- */

static struct key key_of(const struct search *s, const struct state *at)
{
	struct key k = { .next = UINT64_C(1) << 63 };

	for (unsigned t = 0; t < s->tasks; t++)
		k.next |= (uint64_t)at->next[t] << 7 * t;
	k.next |= (uint64_t)at->closed << 62;
	/* Where there is no one order, the calls say what is inside. */
	if (s->h->spec.order != HIST_FIFO)
		return k;
	for (unsigned i = 0; i < at->len; i++)
		k.inside |= (uint64_t)s->h->op[at->inside[i]].task << 3 * i;
	k.inside |= UINT64_C(1) << 3 * at->len;
	return k;
}

/* Where it is, or is to be put. */
static size_t place(const struct search *s, struct key k)
{
	uint64_t x = (k.next ^ (k.inside << 29 | k.inside >> 35)) *
	             UINT64_C(0x9e3779b97f4a7c15);
	size_t at = (size_t)(x >> 32) & s->mask;

	while (s->seen[at].next &&
	       (s->seen[at].next != k.next || s->seen[at].inside != k.inside))
		at = (at + 1) & s->mask;
	return at;
}

static void grow(struct search *s)
{
	struct key *old = s->seen;
	size_t n = s->mask + 1;

	s->mask = 2 * n - 1;
	s->seen = hist_alloc(2 * n, sizeof(*s->seen));
	for (size_t i = 0; i < n; i++)
		if (old[i].next)
			s->seen[place(s, old[i])] = old[i];
	free(old);
}

/* False when the state was there before. */
static bool is_new(struct search *s, const struct state *at)
{
	struct key k = key_of(s, at);
	size_t i = place(s, k);

	if (s->seen[i].next)
		return false;
	s->seen[i] = k;
	if (2 * ++s->used > s->mask)
		grow(s);
	return true;
}

/* --- which calls may come next --- */

static const struct hist_op *next_of(const struct search *s,
                                     const struct state *at, unsigned task)
{
	if (at->next[task] == s->calls[task])
		return NULL;
	return &s->h->op[s->first[task] + at->next[task]];
}

/* The earliest end of all calls that are next: what began later must wait. */
static int64_t horizon(const struct search *s, const struct state *at)
{
	int64_t ns = HIST_PENDING;

	for (unsigned t = 0; t < s->tasks; t++) {
		const struct hist_op *op = next_of(s, at, t);

		if (op && op->res < ns)
			ns = op->res;
	}
	return ns;
}

/* The task's next call, if it may be done now. */
static const struct hist_op *ready(const struct search *s,
                                   const struct state *at, unsigned task,
                                   int64_t until)
{
	const struct hist_op *op = next_of(s, at, task);

	return op && op->inv <= until ? op : NULL;
}

/* --- calls that change nothing --- */

static bool may_be_empty(const struct search *s, const struct state *at)
{
	return s->h->spec.cap == 0 || s->h->spec.order != HIST_FIFO ||
	       at->len == 0;
}

static bool may_be_full(const struct search *s, const struct state *at)
{
	const struct hist_spec *spec = &s->h->spec;

	if (spec->cap == SIZE_MAX)
		return false;
	if (spec->cap == 0 || !spec->exact || spec->order != HIST_FIFO)
		return true;
	return at->len >= spec->cap;
}

/* Whether the call may be done now and changes nothing. */
static bool passes(const struct search *s, const struct state *at,
                   const struct hist_op *op)
{
	if (hist_is_pending(op) || op->result == 0)
		return false;
	if (op->result == -ENOMEM)
		return true;
	if (op->kind == HIST_CLOSE)
		return at->closed;
	if (hist_is_ended(op))
		return at->closed && (op->kind == HIST_SEND || at->len == 0);
	if (at->closed)
		return false;
	return op->kind == HIST_SEND ? may_be_full(s, at) : may_be_empty(s, at);
}

static void do_what_passes(const struct search *s, struct state *at)
{
	bool again = true;

	while (again) {
		int64_t until = horizon(s, at);

		again = false;
		for (unsigned t = 0; t < s->tasks; t++) {
			const struct hist_op *op = ready(s, at, t, until);

			if (!op || !passes(s, at, op))
				continue;
			at->next[t]++;
			again = true;
			break;
		}
	}
}

/* What is pending may never have happened. */
static bool is_over(const struct search *s, const struct state *at)
{
	for (unsigned t = 0; t < s->tasks; t++) {
		const struct hist_op *op = next_of(s, at, t);

		if (op && !hist_is_pending(op))
			return false;
	}
	return true;
}

/* --- calls that change the channel --- */

static bool search(struct search *s, struct state at);

/* Whether the call can be a success. */
static bool can_be_done(const struct hist_op *op, enum hist_kind kind)
{
	return op->kind == kind && (hist_is_pending(op) || op->result == 0);
}

static bool try_send(struct search *s, const struct state *from, unsigned task,
                     const struct hist_op *op)
{
	const struct hist_spec *spec = &s->h->spec;
	struct state at = *from;

	if (at.closed || spec->cap == 0 || (spec->exact && at.len >= spec->cap))
		return false;
	at.inside[at.len++] = (uint16_t)(op - s->h->op);
	at.next[task]++;
	return search(s, at);
}

/* Whether the i-th that is inside may come out next. */
static bool may_leave(const struct search *s, const struct state *at,
                      unsigned i)
{
	if (s->h->spec.order == HIST_FIFO)
		return i == 0;
	for (unsigned k = 0; k < i && s->h->spec.order != HIST_NO_ORDER; k++)
		if (s->h->op[at->inside[k]].task ==
		    s->h->op[at->inside[i]].task)
			return false;
	return true;
}

/* A receive that did not return may have taken what nobody received. */
static bool may_take(const struct search *s, const struct hist_op *op,
                     size_t send)
{
	if (hist_is_pending(op))
		return s->pair[send] == HIST_NONE;
	return s->pair[op - s->h->op] == send;
}

static bool try_recv(struct search *s, const struct state *from, unsigned task,
                     const struct hist_op *op)
{
	for (unsigned i = 0; i < from->len; i++) {
		struct state at = *from;

		if (!may_take(s, op, at.inside[i]) || !may_leave(s, &at, i))
			continue;
		at.len--;
		memmove(at.inside + i, at.inside + i + 1,
		        (at.len - i) * sizeof(*at.inside));
		at.next[task]++;
		if (search(s, at))
			return true;
	}
	return false;
}

static bool try_close(struct search *s, const struct state *from, unsigned task)
{
	struct state at = *from;

	if (at.closed)
		return false;
	at.closed = true;
	at.next[task]++;
	return search(s, at);
}

/* A send and a receive meet. */
static bool try_meet(struct search *s, const struct state *from, unsigned task,
                     const struct hist_op *send, int64_t until)
{
	if (from->closed)
		return false;
	for (unsigned t = 0; t < s->tasks; t++) {
		const struct hist_op *recv = ready(s, from, t, until);
		struct state at = *from;

		if (t == task || !recv || !can_be_done(recv, HIST_RECV) ||
		    !may_take(s, recv, (size_t)(send - s->h->op)))
			continue;
		at.next[task]++;
		at.next[t]++;
		if (search(s, at))
			return true;
	}
	return false;
}

static bool try_one(struct search *s, const struct state *at, unsigned task,
                    const struct hist_op *op, int64_t until)
{
	if (can_be_done(op, HIST_CLOSE))
		return try_close(s, at, task);
	if (can_be_done(op, HIST_RECV))
		return try_recv(s, at, task, op);
	if (!can_be_done(op, HIST_SEND))
		return false;
	return s->h->spec.cap == 0 ? try_meet(s, at, task, op, until)
	                           : try_send(s, at, task, op);
}

/* As deep as there are calls. */
static bool search(struct search *s, struct state at)
{
	int64_t until;

	do_what_passes(s, &at);
	if (is_over(s, &at))
		return true;
	if (s->budget == 0 || !is_new(s, &at))
		return false;
	s->budget--;
	until = horizon(s, &at);
	for (unsigned t = 0; t < s->tasks; t++) {
		const struct hist_op *op = ready(s, &at, t, until);

		if (op && try_one(s, &at, t, op, until))
			return true;
	}
	return false;
}

/* --- all of it --- */

/* False when the history is too large. */
static bool lay_out(struct search *s)
{
	const struct history *h = s->h;
	size_t sends = 0;

	for (size_t i = 0; i < h->n; i++) {
		unsigned t = h->op[i].task;

		if (t >= HIST_SMALL_TASKS)
			return false;
		if (s->calls[t]++ == 0)
			s->first[t] = i;
		s->tasks = t >= s->tasks ? t + 1 : s->tasks;
		sends += can_be_done(&h->op[i], HIST_SEND);
		if (s->calls[t] > 127)
			return false;
	}
	return sends <= HIST_SMALL_SENDS;
}

enum hist_answer hist_level2(const struct history *h, size_t budget)
{
	struct state begin = { .closed = false };
	struct search s = { .h = h, .budget = budget, .mask = 63 };
	size_t *pair;
	bool possible;

	if (!lay_out(&s))
		return HIST_UNKNOWN;
	pair = hist_pairs(h);
	s.pair = pair;
	s.seen = hist_alloc(s.mask + 1, sizeof(*s.seen));
	possible = search(&s, begin);
	free(s.seen);
	free(pair);
	if (possible)
		return HIST_POSSIBLE;
	return s.budget ? HIST_IMPOSSIBLE : HIST_UNKNOWN;
}

/* --- less of it --- */

/* Without call i, and without the other one that has its element. */
static void leave_out(struct history *h, size_t i)
{
	size_t *pair = hist_pairs(h), other = pair[i], kept = 0;

	for (size_t k = 0; k < h->n; k++)
		if (k != i && k != other)
			h->op[kept++] = h->op[k];
	h->n = kept;
	free(pair);
}

/* Whether what is left without it is impossible only if the whole is: not
 * without a close that others were told of, nor without an element where
 * something was full. */
static bool may_go(const struct history *h, const struct hist_op *op)
{
	bool closes = op->kind == HIST_CLOSE;

	if (!hist_is_done(op) && !hist_is_pending(op))
		return true;
	for (size_t i = 0; i < h->n; i++)
		if (closes ? hist_is_ended(&h->op[i])
		           : h->op[i].kind == HIST_SEND &&
		                     hist_is_refused(&h->op[i]))
			return false;
	return true;
}

void hist_minimise(struct history *h)
{
	struct history less = *h;

	less.op = hist_alloc(h->n, sizeof(*less.op));
	for (size_t i = 0; i < h->n;) {
		if (!may_go(h, &h->op[i])) {
			i++;
			continue;
		}
		memcpy(less.op, h->op, h->n * sizeof(*less.op));
		less.n = h->n;
		leave_out(&less, i);
		if (hist_level2(&less, HIST_BUDGET) != HIST_IMPOSSIBLE) {
			i++;
			continue;
		}
		memcpy(h->op, less.op, less.n * sizeof(*h->op));
		h->n = less.n;
		i = 0;
	}
	free(less.op);
}
