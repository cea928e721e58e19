/*
 * A look goes through all hearts under the lock, and stops at the first that is
 * worth a report; the next receive goes on from there. So nothing is queued,
 * and what is reported is as it is now.
 *
 * Beats take no lock. common/beat.h says when a look reads the clock.
 */
#include "monitor.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include <weft/atomic.h>
#include <weft/chan_impl.h>
#include <weft/sync.h>
#include <weft/task.h>

#include "base/cacheline.h"
#include "base/list.h"
#include "common/beat.h"
#include "common/count.h"
#include "common/ending.h"
#include "common/ends.h"
#include "phi.h"

#define INTERVAL_MAX (INT64_MAX / 4)
#define WINDOW_DEFAULT 1000
#define THRESHOLD_DEFAULT 8.0

struct weft_heart {
	/* Of its worker. */
	_Alignas(WEFT_CACHE_LINE) struct beat beats;
	_Atomic uint64_t dropped;
	/* Constant. */
	struct weft_monitor *m;
	struct weft_chan *pulses; /* NULL: the number is all */
	void *arg;

	/* Under the monitor's lock. */
	_Alignas(WEFT_CACHE_LINE) struct list link;
	struct beat_watch watch;
	enum weft_heart_state state;
	uint64_t pulse; /* the last: the number of its beat */
	uint64_t received, odd;
	struct phi phi; /* its samples are NULL with another detector */
};

struct weft_monitor {
	/* Read by beats. */
	_Alignas(WEFT_CACHE_LINE) struct weft_ending end;
	struct weft_monitor_opts opts; /* constant, without defaults */

	_Alignas(WEFT_CACHE_LINE) struct weft_lock lock;
	struct weft_waiters receiver;
	_Atomic bool receiving;
	/* Of what a receiver should know that waits: see changed(). */
	_Atomic uint64_t changes;

	/* Under the lock. */
	struct list hearts;
	struct list *at; /* where the look is that goes on; NULL: none does */
	int64_t due_ns;  /* of the look, when there are hearts */
	bool closed;
	struct weft_monitor_stats stats; /* without those of hearts */
};

static struct weft_heart *heart_at(struct list *l)
{
	return list_entry(l, struct weft_heart, link);
}

static void change(struct weft_monitor *m)
{
	weft_fetch_add_release(&m->changes, UINT64_C(1)); /* [changes] */
	weft_waiters_wake(&m->receiver, 1);
}

/* --- a look: all under the lock --- */

/* Take the pulses that are there, no more than can have been there when it
 * began. Whether there were any. */
static bool receive_pulses(struct weft_heart *h)
{
	uint64_t before = h->received, beats;

	for (size_t left = weft_chan_cap(h->pulses); left > 0; left--) {
		if (weft_chan_try_recv(h->pulses, &beats))
			break;
		if (beats <= h->pulse || beats > beat_count(&h->beats)) {
			h->odd++;
			continue;
		}
		h->received++;
		h->pulse = beats;
	}
	return h->received > before;
}

/* A pulse speaks for those, too, that found the channel full of it. */
static uint64_t new_beats(struct weft_heart *h)
{
	if (h->pulses && !receive_pulses(h))
		return 0;
	return beat_look(&h->watch, &h->beats);
}

static double phi_of(const struct weft_heart *h, int64_t silent_ns)
{
	return h->phi.sample && h->state != WEFT_HEART_UNKNOWN
	               ? weft_phi_now(&h->phi, silent_ns)
	               : 0;
}

static bool is_overdue(const struct weft_heart *h, int64_t silent_ns)
{
	return h->phi.sample ? phi_is_over(&h->phi, silent_ns)
	                     : silent_ns >= h->m->opts.timeout_ns;
}

/* Returns true, for there is one now. */
static bool report(const struct weft_heart *h, enum weft_heart_event event,
                   int64_t now, int64_t silent_ns,
                   struct weft_heart_report *out)
{
	*out = (struct weft_heart_report){
		.event = event,
		.arg = h->arg,
		.beats = h->watch.seen,
		.at_ns = now,
		.silent_ns = silent_ns,
		.phi = phi_of(h, silent_ns),
	};
	return true;
}

/* There are `more` beats, after such a silence. Whether there is a report. */
static bool beats(struct weft_heart *h, uint64_t more, int64_t now,
                  int64_t silent_ns, struct weft_heart_report *out)
{
	struct weft_monitor *m = h->m;
	enum weft_heart_state was = h->state;

	if (h->phi.sample && was != WEFT_HEART_UNKNOWN)
		weft_phi_heard(&h->phi, silent_ns, more);
	h->state = WEFT_HEART_ALIVE;
	if (was == WEFT_HEART_DEAD) {
		m->stats.revivals++;
		return report(h, WEFT_HEART_REVIVED, now, silent_ns, out);
	}
	return m->opts.tell_beats &&
	       report(h, WEFT_HEART_BEAT, now, silent_ns, out);
}

/* There are none, for too long. */
static bool misses(struct weft_heart *h, bool late, int64_t now,
                   int64_t silent_ns, struct weft_heart_report *out)
{
	struct weft_monitor *m = h->m;

	if (late && h->state == WEFT_HEART_ALIVE) {
		h->state = WEFT_HEART_SUSPECT;
		m->stats.suspicions++;
		return false;
	}
	h->state = WEFT_HEART_DEAD;
	m->stats.deaths++;
	return report(h, WEFT_HEART_DIED, now, silent_ns, out);
}

static bool look_at(struct weft_heart *h, bool late, int64_t now,
                    struct weft_heart_report *out)
{
	int64_t silent_ns = beat_silence(&h->watch, now);
	uint64_t more = new_beats(h);

	if (more)
		return beats(h, more, now, silent_ns, out);
	if (h->state == WEFT_HEART_UNKNOWN || h->state == WEFT_HEART_DEAD)
		return false;
	return is_overdue(h, silent_ns) && misses(h, late, now, silent_ns, out);
}

/* The silence of a look that was due long ago may be the monitor's own. */
static bool is_late(const struct weft_monitor *m, int64_t now)
{
	return now - m->due_ns > m->opts.look_ns;
}

/* Go on with a look, or begin one that is due. Whether there is a report. */
static bool look(struct weft_monitor *m, struct weft_heart_report *out)
{
	int64_t now = weft_now();
	bool late = is_late(m, now);

	if (!m->at) {
		if (list_is_empty(&m->hearts) || now < m->due_ns)
			return false;
		m->at = m->hearts.next;
		m->stats.looks++;
		m->stats.late_looks += late;
	}
	while (m->at != &m->hearts) {
		struct weft_heart *h = heart_at(m->at);

		m->at = m->at->next;
		if (look_at(h, late, now, out))
			return true;
	}
	m->at = NULL;
	m->due_ns = weft_deadline_add(now, m->opts.look_ns);
	return false;
}

/* --- receiving --- */

/* What a receive has found; -EAGAIN: nothing before `due_ns`. */
static int look_once(struct weft_monitor *m, struct weft_heart_report *out,
                     int64_t *due_ns)
{
	bool found, none;

	weft_lock_acquire(&m->lock);
	found = look(m, out);
	none = list_is_empty(&m->hearts);
	*due_ns = none ? WEFT_FOREVER : m->due_ns;
	none = none && m->closed;
	weft_lock_release(&m->lock);
	return found ? 0 : none ? -EPIPE : -EAGAIN;
}

struct wait {
	struct weft_monitor *m;
	uint64_t changes; /* before the look */
};

/* There is a first heart, or no heart any more, or an end. */
static int changed(void *arg)
{
	const struct wait *w = arg;

	return weft_load_acquire(&w->m->changes) == w->changes /* [changes] */
	               ? -EAGAIN
	               : 0;
}

static int receive(struct weft_monitor *m, struct weft_heart_report *out,
                   int64_t deadline_ns)
{
	struct wait w = { .m = m };
	int64_t due_ns = WEFT_FOREVER;
	int err;

	for (;;) {
		w.changes = weft_load_acquire(&m->changes); /* [changes] */
		err = weft_ending_why(&m->end);
		if (!err)
			err = look_once(m, out, &due_ns);
		if (err != -EAGAIN)
			return err;
		if (deadline_ns <= weft_now())
			return -ETIMEDOUT;
		if (due_ns > deadline_ns)
			due_ns = deadline_ns;
		err = weft_waiters_wait(&m->receiver, "heartbeats", changed, &w,
		                        NULL, due_ns);
		(void)err; /* in either case it is time to look again */
	}
}

int weft_monitor_recv(struct weft_monitor *m, struct weft_heart_report *out,
                      int64_t deadline_ns)
{
	int err;

	if (!m || !out)
		return -EINVAL;
	if (weft_xchg_acquire(&m->receiving, true)) /* [receiving] */
		return -EBUSY;
	err = receive(m, out, deadline_ns);
	weft_store_release(&m->receiving, false); /* [receiving] */
	return err;
}

int weft_monitor_try_recv(struct weft_monitor *m, struct weft_heart_report *out)
{
	int err = weft_monitor_recv(m, out, WEFT_NOW);

	return m ? weft_ending_tried(&m->end, err) : err;
}

/* --- hearts --- */

static int fill(struct weft_heart *h)
{
	const struct weft_monitor_opts *o = &h->m->opts;
	int err = 0;

	if (o->beat == WEFT_BEAT_CHAN)
		err = weft_chan_new(&h->pulses, o->impl, o->cap,
		                    sizeof(uint64_t), NULL);
	if (!err && o->detector == WEFT_DETECT_PHI)
		err = weft_phi_init(&h->phi, &o->phi);
	return err;
}

static void release(struct weft_heart *h)
{
	weft_phi_fini(&h->phi);
	weft_chan_unref(h->pulses);
	free(h);
}

static int add(struct weft_monitor *m, struct weft_heart *h)
{
	bool first;

	weft_lock_acquire(&m->lock);
	if (m->closed) {
		weft_lock_release(&m->lock);
		return -EPIPE;
	}
	first = list_is_empty(&m->hearts);
	if (first)
		m->due_ns = weft_deadline_in(m->opts.look_ns);
	list_push(&m->hearts, &h->link);
	weft_lock_release(&m->lock);
	if (first)
		change(m);
	return 0;
}

int weft_heart_new(struct weft_heart **out, struct weft_monitor *m, void *arg)
{
	struct weft_heart *h;
	int err;

	if (!out || !m)
		return -EINVAL;
	err = weft_ending_why(&m->end);
	if (err)
		return err;
	h = cacheline_new(1, sizeof(*h));
	if (!h)
		return -ENOMEM;
	h->m = m;
	h->arg = arg;
	err = fill(h);
	if (!err)
		err = add(m, h);
	if (err) {
		release(h);
		return err;
	}
	*out = h;
	return 0;
}

void weft_heart_free(struct weft_heart *h)
{
	struct weft_monitor *m;
	bool last;

	if (!h)
		return;
	m = h->m;
	weft_lock_acquire(&m->lock);
	if (m->at == &h->link)
		m->at = h->link.next;
	list_unlink(&h->link);
	last = list_is_empty(&m->hearts);
	weft_lock_release(&m->lock);
	if (last)
		change(m);
	release(h);
}

/* When the channel is full, what is in it says that the heart beats. */
static int send_pulse(struct weft_heart *h)
{
	uint64_t beats = beat_count(&h->beats);
	int err = weft_chan_try_send(h->pulses, &beats);

	if (err != -EAGAIN)
		return err;
	count_add(&h->dropped, 1);
	return 0;
}

int weft_heart_beat(struct weft_heart *h)
{
	int err;

	if (!h)
		return -EINVAL;
	beat(&h->beats);
	err = weft_ending_why(&h->m->end);
	return err || !h->pulses ? err : send_pulse(h);
}

/* --- waiting with a heart that beats on --- */

/* One of the calls. */
typedef int wait_fn(struct weft_chan *c, void *elem, int64_t deadline_ns);

/* Half the timeout where that is less than the interval; at least 1. */
static int64_t pulse_ns(const struct weft_heart *h)
{
	const struct weft_monitor_opts *o = &h->m->opts;
	int64_t half = (o->timeout_ns + 1) / 2;

	return o->interval_ns < half ? o->interval_ns : half;
}

/* What a beat says is no concern of the wait. */
static int wait_beating(struct weft_heart *h, wait_fn *wait,
                        struct weft_chan *c, void *elem, int64_t deadline_ns)
{
	int64_t until;
	int err;

	do {
		weft_heart_beat(h);
		until = weft_deadline_in(pulse_ns(h));
		until = until < deadline_ns ? until : deadline_ns;
		err = wait(c, elem, until);
	} while (err == -ETIMEDOUT && until < deadline_ns);
	weft_heart_beat(h);
	return err;
}

static int send_to(struct weft_chan *c, void *elem, int64_t deadline_ns)
{
	return weft_chan_send(c, elem, deadline_ns);
}

int weft_heart_send(struct weft_heart *h, struct weft_chan *c, const void *elem,
                    int64_t deadline_ns)
{
	return h ? wait_beating(h, send_to, c, (void *)(uintptr_t)elem,
	                        deadline_ns)
	         : -EINVAL;
}

int weft_heart_recv(struct weft_heart *h, struct weft_chan *c, void *elem,
                    int64_t deadline_ns)
{
	return h ? wait_beating(h, weft_chan_recv, c, elem, deadline_ns)
	         : -EINVAL;
}

static int sleep_on(struct weft_chan *c, void *elem, int64_t deadline_ns)
{
	(void)c;
	(void)elem;
	weft_sleep_until(deadline_ns);
	return -ETIMEDOUT;
}

int weft_heart_sleep(struct weft_heart *h, int64_t deadline_ns)
{
	if (!h)
		return -EINVAL;
	(void)wait_beating(h, sleep_on, NULL, NULL, deadline_ns);
	return 0;
}

int weft_heart_stats(struct weft_heart *h, struct weft_heart_stats *out)
{
	if (!h || !out)
		return -EINVAL;
	*out = (struct weft_heart_stats){
		.beats = beat_count(&h->beats),
		.dropped = weft_load_relaxed(&h->dropped),
	};
	weft_lock_acquire(&h->m->lock);
	out->state = h->state;
	out->seen = h->watch.seen;
	out->received = h->received;
	out->odd = h->odd;
	out->silent_ns = beat_silence(&h->watch, weft_now());
	out->phi = phi_of(h, out->silent_ns);
	weft_lock_release(&h->m->lock);
	return 0;
}

/* --- its own end --- */

static void release_receiver(void *arg)
{
	change(arg);
}

/* Closed, and the last heart has left. */
static bool has_ended(void *arg)
{
	struct weft_monitor *m = arg;
	bool ended;

	weft_lock_acquire(&m->lock);
	ended = m->closed && list_is_empty(&m->hearts);
	weft_lock_release(&m->lock);
	return ended;
}

static const struct weft_ending_ops ending_ops = {
	.too_late = has_ended,
	.release = release_receiver,
};

int weft_monitor_close(struct weft_monitor *m)
{
	bool first;

	if (!m)
		return -EINVAL;
	weft_lock_acquire(&m->lock);
	first = !m->closed && !weft_ending_is_set(&m->end);
	m->closed = true;
	weft_lock_release(&m->lock);
	if (!first)
		return -EPIPE;
	change(m);
	return 0;
}

int weft_monitor_stop(struct weft_monitor *m)
{
	return m ? weft_ending_stop(&m->end, -ECANCELED) : -EINVAL;
}

int weft_monitor_fail(struct weft_monitor *m, int err)
{
	return m ? weft_ending_fail(&m->end, err) : -EINVAL;
}

static void count_heart(const struct weft_heart *h,
                        struct weft_monitor_stats *out)
{
	out->hearts++;
	out->unknown += h->state == WEFT_HEART_UNKNOWN;
	out->alive += h->state == WEFT_HEART_ALIVE;
	out->suspect += h->state == WEFT_HEART_SUSPECT;
	out->dead += h->state == WEFT_HEART_DEAD;
}

int weft_monitor_stats(struct weft_monitor *m, struct weft_monitor_stats *out)
{
	if (!m || !out)
		return -EINVAL;
	weft_lock_acquire(&m->lock);
	*out = m->stats;
	for (struct list *l = m->hearts.next; l != &m->hearts; l = l->next)
		count_heart(heart_at(l), out);
	weft_lock_release(&m->lock);
	return 0;
}

/* --- making one --- */

static int64_t or_default(int64_t ns, int64_t otherwise)
{
	return ns ? ns : otherwise;
}

static void fill_in(struct weft_monitor_opts *o)
{
	int64_t interval = o->interval_ns;
	struct weft_phi_opts *phi = &o->phi;

	o->timeout_ns = or_default(o->timeout_ns, 2 * interval);
	o->look_ns = or_default(o->look_ns, (interval + 1) / 2);
	if (!o->impl)
		o->impl = weft_chan_impl_find("handoff");
	o->cap = o->cap ? o->cap : 1;
	phi->threshold =
	        phi->threshold > 0 ? phi->threshold : THRESHOLD_DEFAULT;
	phi->window = phi->window ? phi->window : WINDOW_DEFAULT;
	phi->min_std_ns = or_default(phi->min_std_ns, (interval + 9) / 10);
	phi->first_ns = or_default(phi->first_ns, interval);
}

static bool is_time(int64_t ns)
{
	return ns >= 0 && ns <= INTERVAL_MAX;
}

/* Of what is filled in. */
static bool are_possible(const struct weft_monitor_opts *o)
{
	return o->interval_ns >= 1 && o->timeout_ns >= o->interval_ns &&
	       is_time(o->timeout_ns) && o->look_ns >= 1 &&
	       o->look_ns <= o->interval_ns;
}

static bool are_words(const struct weft_monitor_opts *o)
{
	return (unsigned)o->detector <= WEFT_DETECT_PHI &&
	       (unsigned)o->beat <= WEFT_BEAT_CHAN &&
	       (unsigned)o->wait <= WEFT_WAIT_PARK;
}

static bool is_phi_possible(const struct weft_phi_opts *o)
{
	/* Both comparisons are false for what is no number. */
	return o->threshold >= 0 && o->threshold <= WEFT_PHI_THRESHOLD_MAX &&
	       o->window <= WEFT_PHI_WINDOW_MAX && is_time(o->min_std_ns) &&
	       is_time(o->pause_ns) && is_time(o->first_ns);
}

static bool is_chan_possible(const struct weft_monitor_opts *o)
{
	return o->beat != WEFT_BEAT_CHAN ||
	       (ends_suit(o->impl, 1, 1) && (o->impl->can & WEFT_CAN_BOUNDED) &&
	        !weft_chan_impl_accepts(o->impl, o->cap, sizeof(uint64_t), NULL,
	                                0));
}

static int accept_opts(struct weft_monitor_opts *o,
                       const struct weft_monitor_opts *given)
{
	if (!is_time(given->interval_ns) || !is_phi_possible(&given->phi))
		return -EINVAL;
	*o = *given;
	fill_in(o);
	return are_possible(o) && are_words(o) && is_chan_possible(o) ? 0
	                                                              : -EINVAL;
}

int weft_monitor_new(struct weft_monitor **out,
                     const struct weft_monitor_opts *opts)
{
	struct weft_monitor_opts filled;
	struct weft_monitor *m;
	int err;

	if (!out || !opts || accept_opts(&filled, opts))
		return -EINVAL;
	m = cacheline_new(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->opts = filled;
	weft_ending_init(&m->end, &ending_ops, m);
	weft_lock_init(&m->lock);
	weft_waiters_init(&m->receiver);
	(void)weft_waiters_set_wait(&m->receiver, filled.wait);
	list_init(&m->hearts);
	err = weft_ending_watch(&m->end, filled.ctx);
	if (err) {
		free(m);
		return err;
	}
	*out = m;
	return 0;
}

void weft_monitor_free(struct weft_monitor *m)
{
	struct list *next;

	if (!m)
		return;
	weft_ending_unwatch(&m->end);
	for (struct list *l = m->hearts.next; l != &m->hearts; l = next) {
		next = l->next;
		release(heart_at(l));
	}
	free(m);
}
