/*
 * mux: the ports, and the hands that calls use them with.
 *
 * A call needs the ports as an array of cases. Making one takes the lock and
 * memory, so it is kept: a hand is such an array, made for the ports as they
 * were at one time, used by one call at a time and laid aside in between. In a
 * mux whose ports stay as they are a call pays for one exchange to get a hand
 * and one to lay it aside.
 *
 * Every change of the ports makes a new generation. Hands of an older one are
 * freed: by whoever makes the change, where they lie idle, and by their calls
 * otherwise. Those that wait are told by a channel, `changed`, which is a case
 * of every hand, and which is closed when its generation is over. The end of
 * the context is another case.
 */
#include "mux.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <weft/atomic.h>
#include <weft/chan_impl.h>
#include <weft/sync.h>

#include "base/cacheline.h"
#include "base/list.h"

/* Hands that are kept; with more calls at once, some make theirs anew. */
#define IDLE 4

/* Of what depends on the op: indices. */
enum { RECV = WEFT_CASE_RECV, SEND = WEFT_CASE_SEND, OPS };

struct port {
	/* Constant once made. */
	size_t id;
	struct weft_chan *chan; /* a reference */
	enum weft_case_op op;

	/* Under the mux's lock. */
	unsigned refs; /* of the mux and of hands */
	bool paused, removed;
	bool dropped;      /* somebody found its channel closed */
	uint64_t moved;    /* by hands that are gone */
	struct port *next; /* in a list of those that nobody refers to */
};

/* What a hand knows of one of its ports. */
struct grip {
	struct port *port;      /* a reference */
	_Atomic uint64_t moved; /* written by the one who has the hand */
};

struct hand {
	/* Constant once made. */
	struct list link; /* of all hands; under the mux's lock */
	uint64_t generation;
	struct weft_chan *changed; /* a reference */
	bool hold;

	/* Cases and grips alike: the inputs, the controls, the outputs. So
	 * what a call needs lies in one piece, for one op and for both. */
	size_t controls, outputs; /* where they begin */
	size_t all;
	struct grip *grip;

	/* Of the one who has the hand. */
	size_t left[OPS];      /* ports that were not found to be dropped */
	const void *elem[OPS]; /* what the cases of an op point to */
	struct weft_case cases[];
};

struct weft_mux {
	/* Constant once made. */
	struct weft_mux_opts opts; /* with a reference on the context */
	size_t controls;           /* cases that are no port */

	_Atomic bool stopped;

	/* Of the ports as they are; changed under the lock. */
	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t generation;
	_Alignas(WEFT_CACHE_LINE) _Atomic(struct hand *) idle[IDLE];

	/* Under the lock. */
	struct weft_lock lock;
	struct weft_chan *changed; /* open as long as the generation lasts */
	struct list hands;
	struct port **port; /* in order of id */
	size_t ports, room;
	size_t next_id;
	bool closed;
	uint64_t moved[OPS]; /* over ports that are gone */
};

/* 0 while it is neither stopped nor its context ended. */
static int why_ended(const struct weft_mux *m)
{
	if (weft_load_acquire(&m->stopped)) /* [stopped] */
		return -ECANCELED;
	return m->opts.ctx ? weft_ctx_err(m->opts.ctx) : 0;
}

/* --- hands: all under the lock --- */

/* The last one to let go of a port buries it, once the lock is released. */
static void port_put(struct port *p, struct port **gone)
{
	if (--p->refs)
		return;
	p->next = *gone;
	*gone = p;
}

static bool is_control(const struct hand *h, size_t i)
{
	return h->controls <= i && i < h->outputs;
}

/* Where counts of the port are kept that no hand keeps. */
static uint64_t *moved_of(struct weft_mux *m, struct port *p)
{
	return p->removed ? &m->moved[p->op] : &p->moved;
}

static void hand_free(struct weft_mux *m, struct hand *h, struct port **gone)
{
	list_unlink(&h->link);
	for (size_t i = 0; i < h->all; i++) {
		struct port *p = h->grip[i].port;

		if (!p)
			continue;
		*moved_of(m, p) += weft_load_relaxed(&h->grip[i].moved);
		port_put(p, gone);
	}
	weft_chan_unref(h->changed);
	free(h);
}

static bool is_left(const struct port *p, enum weft_case_op op)
{
	return p->op == op && !p->dropped;
}

static size_t left(const struct weft_mux *m, enum weft_case_op op)
{
	size_t n = 0;

	for (size_t i = 0; i < m->ports; i++)
		n += is_left(m->port[i], op);
	return n;
}

/* Cases and grips, from `at` on, of all ports that are left for `op`. A paused
 * one has a case that is never ready. */
static void grip_ports(const struct weft_mux *m, struct hand *h,
                       enum weft_case_op op, size_t at)
{
	for (size_t i = 0; i < m->ports; i++) {
		struct port *p = m->port[i];

		if (!is_left(p, op))
			continue;
		h->cases[at].c = p->paused ? NULL : p->chan;
		h->cases[at].op = op;
		h->grip[at++].port = p;
		p->refs++;
		h->left[op]++;
	}
}

/* A hand for the ports as they are. NULL when there is no memory. */
static struct hand *hand_new(struct weft_mux *m)
{
	size_t inputs = left(m, WEFT_CASE_RECV);
	size_t all = inputs + m->controls + left(m, WEFT_CASE_SEND);
	struct hand *h = calloc(1, sizeof(*h) + all * (sizeof(h->cases[0]) +
	                                               sizeof(h->grip[0])));

	if (!h)
		return NULL;
	h->generation = weft_load_relaxed(&m->generation);
	h->changed = weft_chan_ref(m->changed);
	h->hold = m->opts.hold && !m->closed;
	h->controls = inputs;
	h->outputs = inputs + m->controls;
	h->all = all;
	h->grip = (struct grip *)(void *)(h->cases + all);
	grip_ports(m, h, WEFT_CASE_RECV, 0);
	grip_ports(m, h, WEFT_CASE_SEND, h->outputs);
	h->cases[inputs] = weft_case_recv(h->changed, NULL);
	if (m->opts.ctx)
		h->cases[inputs + 1] =
		        weft_case_recv(weft_ctx_done(m->opts.ctx), NULL);
	list_push(&m->hands, &h->link);
	return h;
}

/* --- taking a hand, and laying it aside --- */

/* Not under the lock: with its last reference a channel drops what is inside,
 * by a function that may well ask the mux something. */
static void bury(struct port *gone)
{
	while (gone) {
		struct port *p = gone;

		gone = p->next;
		weft_chan_unref(p->chan);
		free(p);
	}
}

static void let_go(struct weft_mux *m, struct hand *h)
{
	struct port *gone = NULL;

	weft_lock_acquire(&m->lock);
	hand_free(m, h, &gone);
	weft_lock_release(&m->lock);
	bury(gone);
}

/* Free what lies idle: it may be of an older generation. */
static void let_go_idle(struct weft_mux *m)
{
	for (size_t i = 0; i < IDLE; i++) {
		struct hand *none = NULL;
		struct hand *h =
		        weft_xchg_seq_cst(&m->idle[i], none); /* [idle] */

		if (h)
			let_go(m, h);
	}
}

static struct hand *take_idle(struct weft_mux *m)
{
	struct hand *h, *none = NULL;

	for (size_t i = 0; i < IDLE; i++) {
		if (!weft_load_relaxed(&m->idle[i]))
			continue;
		h = weft_xchg_acquire(&m->idle[i], none); /* [hand] */
		if (h)
			return h;
	}
	return NULL;
}

/* One who is made after the stop would wait for nothing: the stop has closed
 * the channel of another generation. */
static int make_hand(struct weft_mux *m, struct hand **out)
{
	int err;

	weft_lock_acquire(&m->lock);
	err = why_ended(m);
	if (!err) {
		*out = hand_new(m);
		err = *out ? 0 : -ENOMEM;
	}
	weft_lock_release(&m->lock);
	return err;
}

static int take_hand(struct weft_mux *m, struct hand **out)
{
	struct hand *h = take_idle(m);

	if (h && h->generation == weft_load_acquire(&m->generation)) {
		*out = h;
		return 0;
	}
	if (h)
		let_go(m, h);
	return make_hand(m, out);
}

static bool lay_idle(struct weft_mux *m, struct hand *h)
{
	for (size_t i = 0; i < IDLE; i++) {
		struct hand *none = NULL;

		if (!weft_load_relaxed(&m->idle[i]) &&
		    weft_cas_seq_cst(&m->idle[i], &none,
		                     h)) /* [hand], [idle] */
			return true;
	}
	return false;
}

/*
 * [idle]: a hand of an older generation must not lie idle, for it holds on to
 * channels that were removed. Whoever makes a generation announces it and then
 * looks at what lies idle; here it is the other way round, so that one of the
 * two sees what the other did.
 */
static void lay_aside(struct weft_mux *m, struct hand *h)
{
	uint64_t generation = h->generation;

	if (generation != weft_load_relaxed(&m->generation) || !lay_idle(m, h))
		let_go(m, h);
	else if (generation != weft_load_seq_cst(&m->generation))
		let_go_idle(m);
}

/* --- calls --- */

/* What a call wants, and where its outcome goes. */
struct call {
	bool wants[OPS];
	const void *elem[OPS];
	enum weft_case_op *op;
	size_t *which;
	int64_t deadline_ns;
};

/* Let the cases of `op` point to elem, as they mostly do already. */
static void point(struct hand *h, enum weft_case_op op, const void *elem)
{
	size_t i = op == WEFT_CASE_RECV ? 0 : h->outputs;
	size_t end = op == WEFT_CASE_RECV ? h->controls : h->all;

	if (h->elem[op] == elem)
		return;
	for (; i < end; i++)
		h->cases[i].elem = (void *)(uintptr_t)elem;
	h->elem[op] = elem;
}

static bool any_left(const struct hand *h, const struct call *call)
{
	return (call->wants[RECV] && h->left[RECV]) ||
	       (call->wants[SEND] && h->left[SEND]);
}

/* Its channel is closed: this hand and those to come are without it; others
 * find out by themselves. */
static void drop(struct weft_mux *m, struct hand *h, size_t i)
{
	struct port *p = h->grip[i].port;

	h->cases[i].c = NULL;
	h->left[p->op]--;
	weft_lock_acquire(&m->lock);
	p->dropped = true;
	weft_lock_release(&m->lock);
}

static void moved(struct hand *h, size_t i, const struct call *call)
{
	struct grip *g = &h->grip[i];

	weft_store_relaxed(&g->moved, weft_load_relaxed(&g->moved) + 1);
	if (call->which)
		*call->which = g->port->id;
	if (call->op)
		*call->op = g->port->op;
}

/* Use the hand for one call. -EAGAIN when the ports have changed, or all is
 * over. */
static int use_hand(struct weft_mux *m, struct hand *h, const struct call *call)
{
	size_t from = call->wants[RECV] ? 0 : h->controls;
	size_t to = call->wants[SEND] ? h->all : h->outputs;
	int k, err;

	while (any_left(h, call) || h->hold) {
		k = weft_select(h->cases + from, to - from, call->deadline_ns);
		if (k < 0)
			return k;
		if (is_control(h, from + (size_t)k))
			return -EAGAIN;
		err = h->cases[from + (size_t)k].err;
		if (!err)
			moved(h, from + (size_t)k, call);
		if (err != -EPIPE)
			return err;
		drop(m, h, from + (size_t)k);
	}
	return -EPIPE;
}

static int use(struct weft_mux *m, const struct call *call)
{
	struct hand *h;
	int err;

	do {
		err = why_ended(m);
		if (!err)
			err = take_hand(m, &h);
		if (err)
			break;
		if (call->wants[RECV])
			point(h, WEFT_CASE_RECV, call->elem[RECV]);
		if (call->wants[SEND])
			point(h, WEFT_CASE_SEND, call->elem[SEND]);
		err = use_hand(m, h, call);
		lay_aside(m, h);
	} while (err == -EAGAIN);
	return err;
}

static bool elem_is_good(const struct weft_mux *m, const void *elem)
{
	return elem || m->opts.elem_size == 0;
}

int weft_mux_recv(struct weft_mux *m, void *elem, size_t *which,
                  int64_t deadline_ns)
{
	struct call call = { .wants = { [RECV] = true },
		             .elem = { [RECV] = elem },
		             .which = which,
		             .deadline_ns = deadline_ns };

	return m && elem_is_good(m, elem) ? use(m, &call) : -EINVAL;
}

int weft_mux_send(struct weft_mux *m, const void *elem, size_t *which,
                  int64_t deadline_ns)
{
	struct call call = { .wants = { [SEND] = true },
		             .elem = { [SEND] = elem },
		             .which = which,
		             .deadline_ns = deadline_ns };

	return m && elem_is_good(m, elem) ? use(m, &call) : -EINVAL;
}

int weft_mux_select(struct weft_mux *m, const void *out, void *in,
                    enum weft_case_op *op, size_t *which, int64_t deadline_ns)
{
	struct call call = { .wants = { [RECV] = true, [SEND] = true },
		             .elem = { [RECV] = in, [SEND] = out },
		             .op = op,
		             .which = which,
		             .deadline_ns = deadline_ns };

	if (!m || !op || !elem_is_good(m, out) || !elem_is_good(m, in))
		return -EINVAL;
	return use(m, &call);
}

/* --- changes --- */

/*
 * A select takes more steps where some of its channels complete what their
 * peers began and others only notify (core/chan/select.c); so `changed` is of
 * the kind that the ports are of.
 */
static const struct weft_chan_impl *impl_of_changed(const struct weft_mux *m)
{
	const struct weft_chan_impl *handoff = weft_chan_impl_find("handoff");

	for (size_t i = 0; i < m->ports; i++)
		if (weft_chan_impl_of(m->port[i]->chan) != handoff)
			return weft_chan_impl_find("ring");
	return handoff;
}

/* Under the lock. Begin a generation; *old is for announce(), after the lock.
 * -ENOMEM, and nothing has changed. */
static int renew(struct weft_mux *m, struct weft_chan **old)
{
	struct weft_chan_opts opts = { .wait = m->opts.wait };
	struct weft_chan *changed;
	int err = weft_chan_new(&changed, impl_of_changed(m), 1, 0, &opts);

	if (err)
		return err;
	*old = m->changed;
	m->changed = changed;
	weft_fetch_add_seq_cst(&m->generation, 1u); /* [idle] */
	return 0;
}

/* Tell whoever waits that a generation is over. */
static void announce(struct weft_mux *m, struct weft_chan *old)
{
	let_go_idle(m);
	weft_chan_close(old);
	weft_chan_unref(old);
}

static int make_room(struct weft_mux *m)
{
	size_t room = m->room ? 2 * m->room : 8;
	struct port **port;

	if (m->ports < m->room)
		return 0;
	port = realloc(m->port, room * sizeof(struct port *));
	if (!port)
		return -ENOMEM;
	m->port = port;
	m->room = room;
	return 0;
}

/* Under the lock. */
static int take_in(struct weft_mux *m, struct port *p, struct weft_chan **old)
{
	int err = why_ended(m);

	if (err)
		return err;
	if (m->closed)
		return -EPIPE;
	if (m->ports >= WEFT_MUX_PORTS_MAX)
		return -ENOSPC;
	err = make_room(m);
	if (err)
		return err;
	m->port[m->ports++] = p;
	err = renew(m, old);
	if (err)
		m->ports--;
	else
		p->id = m->next_id++;
	return err;
}

static struct port *port_new(struct weft_chan *c, enum weft_case_op op)
{
	struct port *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->chan = weft_chan_ref(c);
	p->op = op;
	p->refs = 1;
	return p;
}

int weft_mux_add(struct weft_mux *m, struct weft_chan *c, enum weft_case_op op,
                 size_t *port)
{
	struct weft_chan *old;
	struct port *p;
	size_t id;
	int err;

	if (!m || !c || (unsigned)op >= OPS ||
	    weft_chan_elem_size(c) != m->opts.elem_size)
		return -EINVAL;
	if (!weft_chan_can_select(c))
		return -EOPNOTSUPP;
	p = port_new(c, op);
	if (!p)
		return -ENOMEM;
	weft_lock_acquire(&m->lock);
	err = take_in(m, p, &old);
	id = p->id;
	weft_lock_release(&m->lock);
	if (err) {
		bury(p);
		return err;
	}
	if (port)
		*port = id;
	announce(m, old);
	return 0;
}

/* Under the lock. Where the port stands; m->ports when there is none. */
static size_t find(const struct weft_mux *m, size_t id)
{
	size_t i = 0;

	while (i < m->ports && m->port[i]->id != id)
		i++;
	return i;
}

/* Under the lock: what the hands have counted since belongs to the mux. */
static void take_out(struct weft_mux *m, size_t i, struct port **gone)
{
	struct port *p = m->port[i];

	m->moved[p->op] += p->moved;
	p->removed = true;
	m->ports--;
	memmove(&m->port[i], &m->port[i + 1],
	        (m->ports - i) * sizeof(struct port *));
	port_put(p, gone);
}

int weft_mux_remove(struct weft_mux *m, size_t port)
{
	struct port *gone = NULL;
	struct weft_chan *old;
	size_t i;
	int err;

	if (!m)
		return -EINVAL;
	weft_lock_acquire(&m->lock);
	i = find(m, port);
	err = i < m->ports ? renew(m, &old) : -ENOENT;
	if (!err)
		take_out(m, i, &gone);
	weft_lock_release(&m->lock);
	if (err)
		return err;
	bury(gone);
	announce(m, old);
	return 0;
}

int weft_mux_pause(struct weft_mux *m, size_t port, bool paused)
{
	struct weft_chan *old = NULL;
	size_t i;
	int err;

	if (!m)
		return -EINVAL;
	weft_lock_acquire(&m->lock);
	i = find(m, port);
	err = i < m->ports ? 0 : -ENOENT;
	if (!err && m->port[i]->paused != paused)
		err = renew(m, &old);
	if (!err)
		m->port[i]->paused = paused;
	weft_lock_release(&m->lock);
	if (old)
		announce(m, old);
	return err;
}

int weft_mux_close(struct weft_mux *m)
{
	struct weft_chan *old;
	int err;

	if (!m)
		return -EINVAL;
	weft_lock_acquire(&m->lock);
	err = m->closed || why_ended(m) ? -EPIPE : renew(m, &old);
	if (!err)
		m->closed = true;
	weft_lock_release(&m->lock);
	if (!err)
		announce(m, old);
	return err;
}

/* No generation follows: hands are made no more, and all who have one, or are
 * about to take one, find `changed` closed. */
int weft_mux_stop(struct weft_mux *m)
{
	struct weft_chan *changed;

	if (!m)
		return -EINVAL;
	weft_store_release(&m->stopped, true); /* [stopped] */
	weft_lock_acquire(&m->lock);
	changed = weft_chan_ref(m->changed);
	weft_fetch_add_seq_cst(&m->generation, 1u);
	weft_lock_release(&m->lock);
	announce(m, changed);
	return 0;
}

/* --- making, freeing, figures --- */

int weft_mux_new(struct weft_mux **out, const struct weft_mux_opts *opts)
{
	static const struct weft_mux_opts defaults;
	struct weft_chan *none = NULL;
	struct weft_mux *m;
	int err;

	if (!opts)
		opts = &defaults;
	if (!out || opts->elem_size > WEFT_ELEM_MAX)
		return -EINVAL;
	m = cacheline_new(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->opts = *opts;
	weft_ctx_ref(m->opts.ctx);
	m->controls = m->opts.ctx ? 2 : 1;
	weft_lock_init(&m->lock);
	list_init(&m->hands);
	err = renew(m, &none);
	if (err) {
		weft_ctx_unref(m->opts.ctx);
		free(m);
		return err;
	}
	*out = m;
	return 0;
}

void weft_mux_free(struct weft_mux *m)
{
	struct port *gone = NULL;

	if (!m)
		return;
	let_go_idle(m);
	for (size_t i = 0; i < m->ports; i++)
		port_put(m->port[i], &gone);
	bury(gone);
	free(m->port);
	weft_chan_unref(m->changed);
	weft_ctx_unref(m->opts.ctx);
	free(m);
}

/* Under the lock. What hands have counted of a port; of all ports of `op` when
 * it is NULL. */
static uint64_t in_hands(const struct weft_mux *m, const struct port *p,
                         enum weft_case_op op)
{
	uint64_t n = 0;

	for (struct list *l = m->hands.next; l != &m->hands; l = l->next) {
		const struct hand *h = list_entry(l, struct hand, link);

		for (size_t i = 0; i < h->all; i++) {
			const struct port *q = h->grip[i].port;

			if (q && (p ? q == p : q->op == op))
				n += weft_load_relaxed(&h->grip[i].moved);
		}
	}
	return n;
}

/* Under the lock. */
static uint64_t all_moved(const struct weft_mux *m, enum weft_case_op op)
{
	uint64_t n = m->moved[op] + in_hands(m, NULL, op);

	for (size_t i = 0; i < m->ports; i++)
		if (m->port[i]->op == op)
			n += m->port[i]->moved;
	return n;
}

void weft_mux_stats(struct weft_mux *m, struct weft_mux_stats *out)
{
	*out = (struct weft_mux_stats){ 0 };
	if (!m)
		return;
	weft_lock_acquire(&m->lock);
	out->inputs = left(m, WEFT_CASE_RECV);
	out->outputs = left(m, WEFT_CASE_SEND);
	out->received = all_moved(m, WEFT_CASE_RECV);
	out->sent = all_moved(m, WEFT_CASE_SEND);
	weft_lock_release(&m->lock);
}

int weft_mux_port_stats(struct weft_mux *m, size_t port,
                        struct weft_mux_port_stats *out)
{
	const struct port *p;
	bool found;
	size_t i;

	*out = (struct weft_mux_port_stats){ 0 };
	if (!m)
		return -EINVAL;
	weft_lock_acquire(&m->lock);
	i = find(m, port);
	found = i < m->ports;
	if (found) {
		p = m->port[i];
		out->op = p->op;
		out->moved = p->moved + in_hands(m, p, p->op);
		out->paused = p->paused;
		out->dropped = p->dropped;
	}
	weft_lock_release(&m->lock);
	return found ? 0 : -ENOENT;
}
