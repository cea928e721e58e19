/* Level 1: bad patterns of times, in O(n log n). Each proves a fault. */
#include <errno.h>
#include <stdlib.h>

#include "stress/history/finding.h"

#define NEVER INT64_MAX

/*
 * An element whose send succeeded, or may have: it went in between s0 and s1,
 * and out between r0 and r1. Certainly inside between s1 and r0, and perhaps
 * between s0 and r1.
 */
struct life {
	int64_t s0, s1, r0, r1;
	size_t send, recv;
};

struct level1 {
	const struct history *h;
	const size_t *pair;
	struct life *life;
	size_t lives;

	int64_t closing; /* the earliest begin of a close that may be the
	                  * one that succeeded; NEVER */
	int64_t closed;  /* from here on it is closed for certain; NEVER */
	int64_t ended;   /* from here on it is closed and empty; NEVER */
	size_t closed_by, ended_by;
	int64_t taken; /* the earliest begin of a receive that is pending: from
	                * then on it may have taken anything; NEVER */
};

/* --- what is known --- */

static void earliest(int64_t *at, int64_t ns)
{
	if (ns < *at)
		*at = ns;
}

static void note_close(struct level1 *l, size_t i)
{
	const struct hist_op *op = &l->h->op[i];
	bool closes = op->kind == HIST_CLOSE &&
	              (hist_is_pending(op) || op->result == 0);

	if (closes)
		earliest(&l->closing, op->inv);
	if (((closes && !hist_is_pending(op)) || hist_is_ended(op)) &&
	    op->res < l->closed) {
		l->closed = op->res;
		l->closed_by = i;
	}
	if (op->kind == HIST_RECV && hist_is_ended(op) && op->res < l->ended) {
		l->ended = op->res;
		l->ended_by = i;
	}
}

static void note_life(struct level1 *l, size_t i)
{
	const struct hist_op *send = &l->h->op[i];
	size_t k = l->pair[i];
	struct life x = { .s0 = send->inv,
		          .s1 = send->res,
		          .r0 = l->taken,
		          .r1 = NEVER,
		          .send = i,
		          .recv = k };

	if (send->kind != HIST_SEND)
		return;
	if (!hist_is_done(send) && !hist_is_pending(send))
		return;
	if (k != HIST_NONE) {
		x.r0 = l->h->op[k].inv;
		x.r1 = l->h->op[k].res;
	}
	l->life[l->lives++] = x;
}

static void survey(struct level1 *l)
{
	const struct history *h = l->h;

	l->closing = l->closed = l->ended = l->taken = NEVER;
	l->closed_by = l->ended_by = HIST_NONE;
	for (size_t i = 0; i < h->n; i++) {
		note_close(l, i);
		if (h->op[i].kind == HIST_RECV && hist_is_pending(&h->op[i]))
			earliest(&l->taken, h->op[i].inv);
	}
	for (size_t i = 0; i < h->n; i++)
		note_life(l, i);
}

static int sign(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static int by_s1(const void *a, const void *b)
{
	return sign(((const struct life *)a)->s1, ((const struct life *)b)->s1);
}

/* --- elements --- */

static bool apart(const struct level1 *l, struct hist_finding *f)
{
	for (size_t i = 0; i < l->lives; i++) {
		const struct life *x = &l->life[i];

		if (x->r1 < x->s0)
			return found(l->h, f, RULE_RECEIVED_BEFORE_SENT,
			             x->recv, x->send,
			             "%a returned before its send began: %b");
		if (l->h->spec.cap == 0 && x->s1 < x->r0)
			return found(l->h, f, RULE_SENT_BEFORE_RECEIVED,
			             x->send, x->recv,
			             "%a returned before a receive of its "
			             "element began, on capacity 0: %b");
	}
	return false;
}

struct point {
	int64_t at;
	size_t life;
};

static int by_time(const void *a, const void *b)
{
	const struct point *p = a, *q = b;

	return sign(p->at, q->at);
}

/*
 * x went in before y, and out after it. The lives are sorted by s1; the points
 * are the s0 of those that were received. Of all that are certainly in before
 * y, the one that goes out last is enough.
 */
static bool overtaken_among(const struct level1 *l, struct point *y, size_t n,
                            unsigned task, struct hist_finding *f)
{
	const struct life *x = l->life;
	size_t k = 0, last = HIST_NONE;

	for (size_t i = 0; i < n; i++) {
		const struct life *late = &l->life[y[i].life];

		for (; k < l->lives && x[k].s1 < y[i].at; k++)
			if ((task == HIST_TASKS ||
			     l->h->op[x[k].send].task == task) &&
			    (last == HIST_NONE || x[k].r0 > x[last].r0))
				last = k;
		if (last == HIST_NONE || x[last].r0 <= late->r1)
			continue;
		return found(l->h, f, RULE_OVERTAKEN, x[last].send, late->recv,
		             "%a returned before the element of %b was sent, "
		             "which was received first");
	}
	return false;
}

/* By anything, or where there is no order between senders, by elements of the
 * same sender. */
static bool overtaken(const struct level1 *l, struct hist_finding *f)
{
	struct point *y = hist_alloc(l->lives, sizeof(*y));
	bool fifo = l->h->spec.order == HIST_FIFO, bad = false;
	unsigned first = fifo ? HIST_TASKS : 0;
	unsigned last = fifo ? HIST_TASKS : HIST_TASKS - 1;

	for (unsigned task = first; task <= last && !bad; task++) {
		size_t n = 0;

		for (size_t i = 0; i < l->lives; i++) {
			const struct life *z = &l->life[i];

			if (z->recv != HIST_NONE &&
			    (fifo || l->h->op[z->send].task == task))
				y[n++] = (struct point){ z->s0, i };
		}
		qsort(y, n, sizeof(*y), by_time);
		bad = overtaken_among(l, y, n, task, f);
	}
	free(y);
	return bad;
}

/* --- how many are inside --- */

/* A step of a count: from `at` on, which a begin is not part of and an end is,
 * or the other way round. */
struct step {
	int64_t at;
	int by;
	size_t life;
};

/* What is left comes first: the count of what is certain is of open intervals,
 * and no larger than it must be. */
static int down_first(const void *a, const void *b)
{
	const struct step *p = a, *q = b;

	return p->at != q->at ? sign(p->at, q->at) : p->by - q->by;
}

/* What is added comes first: the count of what is possible is of closed
 * intervals, and as large as it can be. */
static int up_first(const void *a, const void *b)
{
	const struct step *p = a, *q = b;

	return p->at != q->at ? sign(p->at, q->at) : q->by - p->by;
}

static bool over_capacity(const struct level1 *l, struct hist_finding *f)
{
	struct step *s = hist_alloc(2 * l->lives, sizeof(*s));
	size_t n = 0, inside = 0;
	bool bad = false;

	for (size_t i = 0; i < l->lives; i++) {
		const struct life *x = &l->life[i];

		if (x->s1 >= x->r0)
			continue;
		s[n++] = (struct step){ x->s1, 1, i };
		s[n++] = (struct step){ x->r0, -1, i };
	}
	qsort(s, n, sizeof(*s), down_first);
	for (size_t i = 0; i < n && !bad; i++) {
		inside += (size_t)s[i].by;
		if (inside > l->h->spec.cap)
			bad = found(l->h, f, RULE_OVER_CAPACITY,
			            l->life[s[i].life].send, HIST_NONE,
			            "when %a had returned, there were more "
			            "elements inside than the capacity");
	}
	free(s);
	return bad;
}

/* Stretches of time in which something was inside for certain: those of single
 * elements, or joined, sorted by their begin. */
struct stretch_of {
	int64_t from, to; /* neither is part of it */
	size_t life;
};

/* The lives are sorted by s1. */
static size_t certain(const struct level1 *l, struct stretch_of *s, bool join)
{
	size_t n = 0;

	for (size_t i = 0; i < l->lives; i++) {
		const struct life *x = &l->life[i];

		if (x->s1 >= x->r0)
			continue;
		if (n && join && x->s1 < s[n - 1].to) {
			if (x->r0 > s[n - 1].to)
				s[n - 1].to = x->r0;
			continue;
		}
		s[n] = (struct stretch_of){ x->s1, x->r0, i };
		/* Of those that began earlier, the one that ends last. */
		if (n && !join && s[n - 1].to > s[n].to) {
			s[n].to = s[n - 1].to;
			s[n].life = s[n - 1].life;
		}
		n++;
	}
	return n;
}

/* The last stretch that begins before `at`; NULL. */
static const struct stretch_of *before(const struct stretch_of *s, size_t n,
                                       int64_t at)
{
	size_t low = 0;

	while (n > low) {
		size_t half = low + (n - low) / 2;

		if (s[half].from < at)
			low = half + 1;
		else
			n = half;
	}
	return low ? &s[low - 1] : NULL;
}

/*
 * "Empty", and all the time an element was inside. With one order for all it
 * need not be the same element: then empty is a fact about one instant.
 * Without, a channel may look at its parts one after the other.
 */
static bool empty_with_element(const struct level1 *l, struct hist_finding *f)
{
	struct stretch_of *s = hist_alloc(l->lives, sizeof(*s));
	size_t n = certain(l, s, l->h->spec.order == HIST_FIFO);
	bool bad = false;

	for (size_t i = 0; i < l->h->n && !bad; i++) {
		const struct hist_op *op = &l->h->op[i];
		const struct stretch_of *in;

		if (op->kind != HIST_RECV || !hist_is_refused(op))
			continue;
		in = before(s, n, op->inv);
		if (in && op->res < in->to)
			bad = found(l->h, f, RULE_EMPTY_WITH_ELEMENT, i,
			            l->life[in->life].send,
			            "%a found nothing, although an element was "
			            "inside all the time, first that of %b");
	}
	free(s);
	return bad;
}

/* The most that can have been inside at any time from `from` to `to`. */
struct most {
	struct step *s;
	size_t n;
	size_t *count; /* after each step */
	size_t *tree;  /* the largest of two, of four, ... */
	size_t leaves;
};

static void most_init(struct most *m, const struct level1 *l)
{
	size_t inside = 0;

	m->s = hist_alloc(2 * l->lives, sizeof(*m->s));
	m->n = 0;
	for (size_t i = 0; i < l->lives; i++) {
		m->s[m->n++] = (struct step){ l->life[i].s0, 1, i };
		if (l->life[i].r1 != NEVER)
			m->s[m->n++] = (struct step){ l->life[i].r1, -1, i };
	}
	qsort(m->s, m->n, sizeof(*m->s), up_first);
	for (m->leaves = 1; m->leaves < m->n + 1; m->leaves *= 2)
		;
	m->tree = hist_alloc(2 * m->leaves, sizeof(*m->tree));
	m->count = m->tree + m->leaves; /* before any step; after each */
	for (size_t i = 0; i < m->n; i++) {
		inside += (size_t)m->s[i].by;
		m->count[i + 1] = inside;
	}
	for (size_t i = m->leaves - 1; i > 0; i--)
		m->tree[i] = m->tree[2 * i] > m->tree[2 * i + 1]
		                     ? m->tree[2 * i]
		                     : m->tree[2 * i + 1];
}

static void most_fini(struct most *m)
{
	free(m->s);
	free(m->tree);
}

/* How many steps are at `at` or earlier, or (`open`) earlier. */
static size_t steps_until(const struct most *m, int64_t at, bool open)
{
	size_t low = 0, n = m->n;

	while (n > low) {
		size_t half = low + (n - low) / 2;

		if (m->s[half].at < at || (m->s[half].at == at && !open))
			low = half + 1;
		else
			n = half;
	}
	return low;
}

static size_t most_within(const struct most *m, int64_t from, int64_t to)
{
	size_t a = steps_until(m, from, true) + m->leaves;
	size_t b = steps_until(m, to, false) + m->leaves + 1;
	size_t most = 0;

	for (; a < b; a /= 2, b /= 2) {
		if (a & 1) {
			most = m->tree[a] > most ? m->tree[a] : most;
			a++;
		}
		if (b & 1) {
			b--;
			most = m->tree[b] > most ? m->tree[b] : most;
		}
	}
	return most;
}

/* "Full", and at no time can it have been; where the capacity is not exact, or
 * there is no one order, only an empty channel certainly has room. */
static bool full_with_room(const struct level1 *l, struct hist_finding *f)
{
	const struct hist_spec *spec = &l->h->spec;
	size_t full = spec->cap;
	bool bad = false;
	struct most m;

	if (spec->cap != SIZE_MAX && (!spec->exact || spec->order != HIST_FIFO))
		full = 1;
	most_init(&m, l);
	for (size_t i = 0; i < l->h->n && !bad; i++) {
		const struct hist_op *op = &l->h->op[i];

		if (op->kind == HIST_SEND && hist_is_refused(op) &&
		    most_within(&m, op->inv, op->res) < full)
			bad = found(l->h, f, RULE_FULL_WITH_ROOM, i, HIST_NONE,
			            "%a found no room, although there was room "
			            "all the time");
	}
	most_fini(&m);
	return bad;
}

/* --- close --- */

static bool too_late(const struct level1 *l, size_t i, struct hist_finding *f)
{
	const struct hist_op *op = &l->h->op[i];

	if (op->kind == HIST_CLOSE)
		return false;
	if (op->inv > l->closed && hist_is_refused(op))
		return found(l->h, f, RULE_REFUSED_AFTER_CLOSE, i, l->closed_by,
		             "%a neither succeeded nor said -EPIPE, although "
		             "the channel was closed: %b");
	if (op->inv > l->closed && op->kind == HIST_SEND && hist_is_done(op))
		return found(l->h, f, RULE_SENT_AFTER_CLOSE, i, l->closed_by,
		             "%a succeeded after the channel was closed: %b");
	if (op->kind != HIST_RECV || !hist_is_done(op))
		return false;
	if (op->inv > l->ended)
		return found(l->h, f, RULE_ELEMENT_AFTER_END, i, l->ended_by,
		             "%a succeeded after %b had said that there is "
		             "nothing more");
	if (op->inv > l->closed && l->h->spec.cap == 0)
		return found(
		        l->h, f, RULE_MET_AFTER_CLOSE, i, l->closed_by,
		        "%a met a sender after the channel was closed: %b");
	return false;
}

static bool too_early(const struct level1 *l, size_t i, struct hist_finding *f)
{
	const struct hist_op *op = &l->h->op[i];

	if (!hist_is_ended(op) || op->res >= l->closing)
		return false;
	if (op->kind == HIST_CLOSE)
		return found(l->h, f, RULE_CLOSED_BEFORE_CLOSE, i, HIST_NONE,
		             "%a returned -EPIPE, and nobody else had closed "
		             "the channel");
	return found(l->h, f, RULE_ENDED_BEFORE_CLOSE, i, HIST_NONE,
	             "%a returned -EPIPE before anybody closed the channel");
}

static bool close_rules(const struct level1 *l, struct hist_finding *f)
{
	for (size_t i = 0; i < l->h->n; i++)
		if (too_late(l, i, f) || too_early(l, i, f))
			return true;
	for (size_t i = 0; i < l->lives; i++) {
		const struct life *x = &l->life[i];

		if (x->r0 > l->ended &&
		    (x->recv != HIST_NONE || hist_is_done(&l->h->op[x->send])))
			return found(l->h, f, RULE_ENDED_WITH_ELEMENT,
			             l->ended_by, x->send,
			             "%a returned -EPIPE before the element of "
			             "%b was received");
	}
	return false;
}

/* --- calls that wait for good --- */

struct waiting {
	size_t any, send, recv; /* a pending one; HIST_NONE */
	size_t sent, received;
};

static void count(const struct history *h, struct waiting *w)
{
	*w = (struct waiting){ .any = HIST_NONE,
		               .send = HIST_NONE,
		               .recv = HIST_NONE };
	for (size_t i = 0; i < h->n; i++) {
		const struct hist_op *op = &h->op[i];

		if (op->kind != HIST_CLOSE && hist_is_pending(op))
			w->any = i;
		if (op->kind == HIST_SEND) {
			w->sent += hist_is_done(op);
			/* Of a batch nobody knows how far it is. */
			if (hist_is_pending(op) && op->mode != HIST_BATCH)
				w->send = i;
		} else if (op->kind == HIST_RECV) {
			w->received += hist_is_done(op);
			if (hist_is_pending(op))
				w->recv = i;
		}
	}
}

static bool asleep(const struct level1 *l, struct hist_finding *f)
{
	const struct hist_spec *spec = &l->h->spec;
	struct waiting w;
	size_t inside;

	count(l->h, &w);
	inside = w.sent - w.received;
	if (w.any == HIST_NONE)
		return false;
	if (l->closed != NEVER)
		return found(l->h, f, RULE_ASLEEP_AFTER_CLOSE, w.any,
		             l->closed_by,
		             "%a still waits, although the channel was "
		             "closed: %b");
	if (spec->cap == 0)
		return w.send != HIST_NONE && w.recv != HIST_NONE &&
		       found(l->h, f, RULE_PAIR_ASLEEP, w.recv, w.send,
		             "%a still waits, and so does %b");
	/* What was received may have been sent by a call that never returned:
	 * then there is one more inside than it seems, or less room. */
	if (w.recv != HIST_NONE && w.sent > w.received)
		return found(l->h, f, RULE_RECV_ASLEEP, w.recv, HIST_NONE,
		             "%a still waits, although there are elements "
		             "inside");
	if (w.send != HIST_NONE && w.sent >= w.received &&
	    inside < (spec->exact ? spec->cap : 1))
		return found(l->h, f, RULE_SEND_ASLEEP, w.send, HIST_NONE,
		             "%a still waits, although there is room");
	return false;
}

/* --- all of it --- */

static bool judge(const struct level1 *l, struct hist_finding *f)
{
	const struct hist_spec *spec = &l->h->spec;

	if (apart(l, f))
		return true;
	if (spec->order != HIST_NO_ORDER && overtaken(l, f))
		return true;
	if (spec->cap > 0 && spec->cap < SIZE_MAX && spec->exact &&
	    over_capacity(l, f))
		return true;
	if (close_rules(l, f))
		return true;
	if (spec->cap > 0 && (empty_with_element(l, f) || full_with_room(l, f)))
		return true;
	return l->h->at_rest && asleep(l, f);
}

bool hist_level1(const struct history *h, struct hist_finding *f)
{
	size_t *pair = hist_pairs(h);
	struct level1 l = { .h = h, .pair = pair };
	bool bad;

	l.life = hist_alloc(h->n, sizeof(*l.life));
	survey(&l);
	qsort(l.life, l.lives, sizeof(*l.life), by_s1);
	bad = judge(&l, f);
	free(l.life);
	free(pair);
	return bad;
}
