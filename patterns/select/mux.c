/*
 * mux: the ports, and the snapshots that calls use them with.
 *
 * A call needs the ports as an array of cases. Making one takes the lock and
 * memory, so it is kept: a snapshot is such an array, made of the ports as they
 * were at one time, used by one call at a time and kept in `idle` in between.
 * While the ports stay as they are a call pays for one exchange to take a
 * snapshot and one to put it back.
 *
 * Every change of the ports begins a new generation. Snapshots of an older one
 * are freed: those in `idle` by the call that makes the change, others by the
 * calls that use them. Calls that wait are told by a channel, `changed`, which
 * is a case of every snapshot and is closed when its generation is over. The
 * end of the context is another case.
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
#include "common/count.h"
#include "common/ending.h"

/* Snapshots that are kept; with more calls at once, some make theirs anew. */
#define IDLE 4

/* Of what depends on the op: indices. */
enum { RECV = WEFT_CASE_RECV, SEND = WEFT_CASE_SEND, OPS };

struct port {
	/* Constant once made. */
	size_t id;
	struct weft_chan *chan; /* a reference */
	enum weft_case_op op;

	/* Under the mux's lock. */
	unsigned refs; /* of the mux and of snapshots */
	bool paused, removed;
	bool dropped;      /* its channel was found closed */
	uint64_t moved;    /* by snapshots that are gone */
	struct port *next; /* in a list of those without references */
};

/* One port in a snapshot. */
struct entry {
	struct port *port;      /* a reference */
	_Atomic uint64_t moved; /* written by the call that uses it */
};

struct snapshot {
	/* Constant once made. */
	struct list link; /* of all of them; under the mux's lock */
	uint64_t generation;
	struct weft_chan *changed; /* a reference */
	bool hold;

	/* Cases and entries alike: the inputs, the controls, the outputs. So
	 * what a call needs lies in one piece, for one op and for both. */
	size_t controls, outputs; /* where they begin */
	size_t all;
	struct entry *entry;

	/* Of the call that uses it. */
	size_t left[OPS];      /* ports that were not found to be dropped */
	const void *elem[OPS]; /* what the cases of an op point to */
	struct weft_case cases[];
};

struct weft_mux {
	/* Constant once made. */
	struct weft_mux_opts opts; /* with a reference on the context */
	size_t controls;           /* cases that are no port */

	/* The context is a case of every wait instead of being watched: it ends
	 * calls at its deadline without a timer, and a stop takes the lock,
	 * which a function of a context must not. -EPIPE is the end in order:
	 * closed, and a call has found no port left. */
	struct weft_ending end;

	/* Of the ports as they are; changed under the lock. */
	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t generation;
	_Alignas(WEFT_CACHE_LINE) _Atomic(struct snapshot *) idle[IDLE];

	/* Under the lock. */
	struct weft_lock lock;
	struct weft_chan *changed; /* open as long as the generation lasts */
	struct list snapshots;
	struct port **port; /* in order of id */
	size_t ports, room;
	size_t next_id;
	bool closed;
	uint64_t moved[OPS]; /* over ports that are gone */
};

/* 0 while neither it nor its context has ended. */
static int mux_why(const struct weft_mux *m)
{
	int why = weft_ending_why(&m->end);

	return why || !m->opts.ctx ? why : weft_ctx_err(m->opts.ctx);
}

/* --- snapshots: all under the lock --- */

/* Without references it goes to a list, to be freed once the lock is
 * released. */
static void port_unref(struct port *p, struct port **gone)
{
	if (--p->refs)
		return;
	p->next = *gone;
	*gone = p;
}

static bool is_control(const struct snapshot *s, size_t i)
{
	return s->controls <= i && i < s->outputs;
}

/* Where counts of the port are kept that no snapshot keeps. */
static uint64_t *moved_of(struct weft_mux *m, struct port *p)
{
	return p->removed ? &m->moved[p->op] : &p->moved;
}

static void snapshot_free(struct weft_mux *m, struct snapshot *s,
                          struct port **gone)
{
	list_unlink(&s->link);
	for (size_t i = 0; i < s->all; i++) {
		struct port *p = s->entry[i].port;

		if (!p)
			continue;
		*moved_of(m, p) += weft_load_relaxed(&s->entry[i].moved);
		port_unref(p, gone);
	}
	weft_chan_unref(s->changed);
	free(s);
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

/* Cases and entries, from `at` on, of all ports that are left for `op`. A
 * paused one has a case that is never ready. */
static void add_entries(const struct weft_mux *m, struct snapshot *s,
                        enum weft_case_op op, size_t at)
{
	for (size_t i = 0; i < m->ports; i++) {
		struct port *p = m->port[i];

		if (!is_left(p, op))
			continue;
		s->cases[at].c = p->paused ? NULL : p->chan;
		s->cases[at].op = op;
		s->entry[at++].port = p;
		p->refs++;
		s->left[op]++;
	}
}

/* A snapshot of the ports as they are. NULL when there is no memory. */
static struct snapshot *snapshot_new(struct weft_mux *m)
{
	size_t inputs = left(m, WEFT_CASE_RECV);
	size_t all = inputs + m->controls + left(m, WEFT_CASE_SEND);
	struct snapshot *s =
	        calloc(1, sizeof(*s) + all * (sizeof(s->cases[0]) +
	                                      sizeof(s->entry[0])));

	if (!s)
		return NULL;
	s->generation = weft_load_relaxed(&m->generation);
	s->changed = weft_chan_ref(m->changed);
	s->hold = m->opts.hold && !m->closed;
	s->controls = inputs;
	s->outputs = inputs + m->controls;
	s->all = all;
	s->entry = (struct entry *)(void *)(s->cases + all);
	add_entries(m, s, WEFT_CASE_RECV, 0);
	add_entries(m, s, WEFT_CASE_SEND, s->outputs);
	s->cases[inputs] = weft_case_recv(s->changed, NULL);
	if (m->opts.ctx)
		s->cases[inputs + 1] =
		        weft_case_recv(weft_ctx_done(m->opts.ctx), NULL);
	list_push(&m->snapshots, &s->link);
	return s;
}

/* --- taking a snapshot, and putting it back --- */

/* Not under the lock: with its last reference a channel drops what is inside,
 * by a function that may call the mux. */
static void free_ports(struct port *gone)
{
	while (gone) {
		struct port *p = gone;

		gone = p->next;
		weft_chan_unref(p->chan);
		free(p);
	}
}

static void drop_snapshot(struct weft_mux *m, struct snapshot *s)
{
	struct port *gone = NULL;

	weft_lock_acquire(&m->lock);
	snapshot_free(m, s, &gone);
	weft_lock_release(&m->lock);
	free_ports(gone);
}

/* Free what is idle: it may be of an older generation. */
static void drop_idle(struct weft_mux *m)
{
	for (size_t i = 0; i < IDLE; i++) {
		struct snapshot *none = NULL;
		struct snapshot *s =
		        weft_xchg_seq_cst(&m->idle[i], none); /* [idle] */

		if (s)
			drop_snapshot(m, s);
	}
}

static struct snapshot *mux_take_idle(struct weft_mux *m)
{
	struct snapshot *s, *none = NULL;

	for (size_t i = 0; i < IDLE; i++) {
		if (!weft_load_relaxed(&m->idle[i]))
			continue;
		s = weft_xchg_acquire(&m->idle[i], none); /* [snapshot] */
		if (s)
			return s;
	}
	return NULL;
}

/* One that is made after the stop would never be woken: the stop has closed
 * `changed`, and looks for no generation that follows. */
static int make_snapshot(struct weft_mux *m, struct snapshot **out)
{
	int err;

	weft_lock_acquire(&m->lock);
	err = mux_why(m);
	if (!err) {
		*out = snapshot_new(m);
		err = *out ? 0 : -ENOMEM;
	}
	weft_lock_release(&m->lock);
	return err;
}

static int mux_take_snapshot(struct weft_mux *m, struct snapshot **out)
{
	struct snapshot *s = mux_take_idle(m);

	if (s && s->generation == weft_load_acquire(&m->generation)) {
		*out = s;
		return 0;
	}
	if (s)
		drop_snapshot(m, s);
	return make_snapshot(m, out);
}

static bool mux_keep_idle(struct weft_mux *m, struct snapshot *s)
{
	for (size_t i = 0; i < IDLE; i++) {
		struct snapshot *none = NULL;

		if (!weft_load_relaxed(&m->idle[i]) &&
		    weft_cas_seq_cst(&m->idle[i], &none,
		                     s)) /* [snapshot], [idle] */
			return true;
	}
	return false;
}

/*
 * [idle]: a snapshot of an older generation must not stay in `idle`, for it
 * holds on to channels that were removed. A change announces its generation and
 * then empties `idle`; here it is the other way round, so that one of the two
 * sees what the other did.
 */
static void mux_put_snapshot(struct weft_mux *m, struct snapshot *s)
{
	uint64_t generation = s->generation;

	if (generation != weft_load_relaxed(&m->generation) ||
	    !mux_keep_idle(m, s))
		drop_snapshot(m, s);
	else if (generation != weft_load_seq_cst(&m->generation))
		drop_idle(m);
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
static void mux_point(struct snapshot *s, enum weft_case_op op,
                      const void *elem)
{
	size_t i = op == WEFT_CASE_RECV ? 0 : s->outputs;
	size_t end = op == WEFT_CASE_RECV ? s->controls : s->all;

	if (s->elem[op] == elem)
		return;
	for (; i < end; i++)
		s->cases[i].elem = (void *)(uintptr_t)elem;
	s->elem[op] = elem;
}

static bool mux_any_left(const struct snapshot *s, const struct call *call)
{
	return (call->wants[RECV] && s->left[RECV]) ||
	       (call->wants[SEND] && s->left[SEND]);
}

/* Its channel is closed: this snapshot and those to come are without it; others
 * find out by themselves. */
static void mux_drop_port(struct weft_mux *m, struct snapshot *s, size_t i)
{
	struct port *p = s->entry[i].port;

	s->cases[i].c = NULL;
	s->left[p->op]--;
	weft_lock_acquire(&m->lock);
	p->dropped = true;
	weft_lock_release(&m->lock);
}

static void mux_moved(struct snapshot *s, size_t i, const struct call *call)
{
	struct entry *e = &s->entry[i];

	count_add(&e->moved, 1);
	if (call->which)
		*call->which = e->port->id;
	if (call->op)
		*call->op = e->port->op;
}

/* Use a snapshot for one call. -EAGAIN when the ports have changed, or the mux
 * has ended. */
static int mux_use_snapshot(struct weft_mux *m, struct snapshot *s,
                            const struct call *call)
{
	size_t from = call->wants[RECV] ? 0 : s->controls;
	size_t to = call->wants[SEND] ? s->all : s->outputs;
	int k, err;

	while (mux_any_left(s, call) || s->hold) {
		k = weft_select(s->cases + from, to - from, call->deadline_ns);
		if (k < 0)
			return k;
		if (is_control(s, from + (size_t)k))
			return -EAGAIN;
		err = s->cases[from + (size_t)k].err;
		if (!err)
			mux_moved(s, from + (size_t)k, call);
		if (err != -EPIPE)
			return err;
		mux_drop_port(m, s, from + (size_t)k);
	}
	return -EPIPE;
}

/* A call has found no port left: the end in order, when none can come. Returns
 * what the call does. */
__attribute__((noinline)) static int mux_met_the_end(struct weft_mux *m)
{
	bool ended;

	weft_lock_acquire(&m->lock);
	ended = m->closed && !left(m, WEFT_CASE_RECV) &&
	        !left(m, WEFT_CASE_SEND);
	weft_lock_release(&m->lock);
	if (ended)
		weft_ending_set(&m->end, -EPIPE);
	return -EPIPE;
}

static int mux_use(struct weft_mux *m, const struct call *call)
{
	struct snapshot *s;
	int err;

	do {
		err = mux_why(m);
		if (!err)
			err = mux_take_snapshot(m, &s);
		if (err)
			break;
		if (call->wants[RECV])
			mux_point(s, WEFT_CASE_RECV, call->elem[RECV]);
		if (call->wants[SEND])
			mux_point(s, WEFT_CASE_SEND, call->elem[SEND]);
		err = mux_use_snapshot(m, s, call);
		mux_put_snapshot(m, s);
	} while (err == -EAGAIN);
	return err == -EPIPE ? mux_met_the_end(m) : err;
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

	return m && elem_is_good(m, elem) ? mux_use(m, &call) : -EINVAL;
}

int weft_mux_send(struct weft_mux *m, const void *elem, size_t *which,
                  int64_t deadline_ns)
{
	struct call call = { .wants = { [SEND] = true },
		             .elem = { [SEND] = elem },
		             .which = which,
		             .deadline_ns = deadline_ns };

	return m && elem_is_good(m, elem) ? mux_use(m, &call) : -EINVAL;
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
	return mux_use(m, &call);
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
static int begin_generation(struct weft_mux *m, struct weft_chan **old)
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

/* Tell those that wait that a generation is over. */
static void announce(struct weft_mux *m, struct weft_chan *old)
{
	drop_idle(m);
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
static int insert_port(struct weft_mux *m, struct port *p,
                       struct weft_chan **old)
{
	int err = mux_why(m);

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
	err = begin_generation(m, old);
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
	err = insert_port(m, p, &old);
	id = p->id;
	weft_lock_release(&m->lock);
	if (err) {
		free_ports(p);
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

/* Under the lock: what snapshots have counted since belongs to the mux. */
static void extract_port(struct weft_mux *m, size_t i, struct port **gone)
{
	struct port *p = m->port[i];

	m->moved[p->op] += p->moved;
	p->removed = true;
	m->ports--;
	memmove(&m->port[i], &m->port[i + 1],
	        (m->ports - i) * sizeof(struct port *));
	port_unref(p, gone);
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
	err = i < m->ports ? begin_generation(m, &old) : -ENOENT;
	if (!err)
		extract_port(m, i, &gone);
	weft_lock_release(&m->lock);
	if (err)
		return err;
	free_ports(gone);
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
		err = begin_generation(m, &old);
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
	err = m->closed || mux_why(m) ? -EPIPE : begin_generation(m, &old);
	if (!err)
		m->closed = true;
	weft_lock_release(&m->lock);
	if (!err)
		announce(m, old);
	return err;
}

/* No generation follows: snapshots are made no more, and every call that has
 * one, or is about to take one, finds `changed` closed. */
static void release(void *arg)
{
	struct weft_mux *m = arg;
	struct weft_chan *changed;

	weft_lock_acquire(&m->lock);
	changed = weft_chan_ref(m->changed);
	weft_fetch_add_seq_cst(&m->generation, 1u);
	weft_lock_release(&m->lock);
	announce(m, changed);
}

static const struct weft_ending_ops ending_ops = { NULL, release };

/* The context may have been first. */
static void end_for(struct weft_mux *m, int err)
{
	int why = mux_why(m);

	weft_ending_stop(&m->end, why ? why : err);
}

int weft_mux_stop(struct weft_mux *m)
{
	if (!m)
		return -EINVAL;
	end_for(m, -ECANCELED);
	return 0;
}

int weft_mux_fail(struct weft_mux *m, int err)
{
	if (!m || err >= 0)
		return -EINVAL;
	end_for(m, weft_failure_of(err));
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
	weft_ending_init(&m->end, &ending_ops, m);
	weft_lock_init(&m->lock);
	list_init(&m->snapshots);
	err = begin_generation(m, &none);
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
	drop_idle(m);
	for (size_t i = 0; i < m->ports; i++)
		port_unref(m->port[i], &gone);
	free_ports(gone);
	free(m->port);
	weft_chan_unref(m->changed);
	weft_ctx_unref(m->opts.ctx);
	free(m);
}

/* Under the lock. What snapshots have counted of a port; of all ports of `op`
 * when it is NULL. */
static uint64_t in_snapshots(const struct weft_mux *m, const struct port *p,
                             enum weft_case_op op)
{
	uint64_t n = 0;

	for (struct list *l = m->snapshots.next; l != &m->snapshots;
	     l = l->next) {
		const struct snapshot *s = list_entry(l, struct snapshot, link);

		for (size_t i = 0; i < s->all; i++) {
			const struct port *q = s->entry[i].port;

			if (q && (p ? q == p : q->op == op))
				n += weft_load_relaxed(&s->entry[i].moved);
		}
	}
	return n;
}

/* Under the lock. */
static uint64_t all_moved(const struct weft_mux *m, enum weft_case_op op)
{
	uint64_t n = m->moved[op] + in_snapshots(m, NULL, op);

	for (size_t i = 0; i < m->ports; i++)
		if (m->port[i]->op == op)
			n += m->port[i]->moved;
	return n;
}

int weft_mux_stats(struct weft_mux *m, struct weft_mux_stats *out)
{
	if (!m || !out)
		return -EINVAL;
	weft_lock_acquire(&m->lock);
	out->inputs = left(m, WEFT_CASE_RECV);
	out->outputs = left(m, WEFT_CASE_SEND);
	out->received = all_moved(m, WEFT_CASE_RECV);
	out->sent = all_moved(m, WEFT_CASE_SEND);
	weft_lock_release(&m->lock);
	return 0;
}

int weft_mux_port_stats(struct weft_mux *m, size_t port,
                        struct weft_mux_port_stats *out)
{
	const struct port *p;
	bool found;
	size_t i;

	if (!m || !out)
		return -EINVAL;
	weft_lock_acquire(&m->lock);
	i = find(m, port);
	found = i < m->ports;
	if (found) {
		p = m->port[i];
		out->op = p->op;
		out->moved = p->moved + in_snapshots(m, p, p->op);
		out->paused = p->paused;
		out->dropped = p->dropped;
	}
	weft_lock_release(&m->lock);
	return found ? 0 : -ENOENT;
}
