/*
 * A flight is a record on the stack of the call that leads it, in the map while
 * it may be followed. Others touch it under the lock of its shard only, and
 * only while it is linked there; it is unlinked before the call returns.
 *
 * What is shared is in a record of its own, a party, made by the first that
 * follows: what they wait in, the result, and how many hold it. So no call
 * depends on another one's stack, and a flight that nobody follows needs none.
 */
#include "flight.h"

#include <errno.h>
#include <stdlib.h>

#include <weft/atomic.h>
#include <weft/sync.h>
#include <weft/task.h>

#include "base/cacheline.h"
#include "base/list.h"
#include "common/ending.h"
#include "common/key.h"

/* Of a shard. There are as many flights as calls under way, and they are on
 * stacks: the map neither grows nor shrinks. */
#define BUCKETS 64u

struct shard {
	struct weft_lock lock;

	/* Under the lock, of struct flying. */
	struct list bucket[BUCKETS];
	struct list forgotten;
	struct weft_flight_stats stats;
};

struct weft_flight {
	/* Constant once made. */
	unsigned shards;
	enum weft_wait wait;
	void (*drop)(void *value, void *drop_arg);
	void *drop_arg;

	struct weft_ending end;
	struct shard shard[];
};

/* On the leader's stack. All but `party` is constant while it is linked. */
struct flying {
	struct list link; /* in its bucket, or among the forgotten */
	struct weft_flight_key key;
	uint64_t hash;
	const struct weft_task *leader;
	struct party *party; /* under the lock; NULL: nobody has followed */
};

/* What the calls of a flight share. The last that gives it up frees it. */
struct party {
	struct weft_waiters landing;
	const struct weft_flight *flight;
	_Atomic uint64_t holders;
	uint64_t waiting; /* under the lock, until it has landed */

	/* Written under the lock. */
	_Atomic bool landed; /* publishes the rest */
	int status;
	void *value;
	void (*drop)(void *value, void *drop_arg);
	void *drop_arg;
};

/* One call. */
struct call {
	struct weft_flight *flight;
	struct shard *shard;
	weft_flight_fn fn;
	void *arg;
	bool may_wait;
	struct flying flying;   /* when it leads */
	struct party *followed; /* when it follows */

	/* When it has led. */
	int status;
	void *value;
};

/* --- parties --- */

static struct party *party_new(const struct weft_flight *f)
{
	struct party *p = cacheline_new(1, sizeof(*p));

	if (!p)
		return NULL;
	weft_waiters_init(&p->landing);
	weft_waiters_set_wait(&p->landing, f->wait);
	p->flight = f;
	p->drop = f->drop;
	p->drop_arg = f->drop_arg;
	weft_store_relaxed(&p->holders, UINT64_C(1)); /* the leader */
	return p;
}

static void party_unref(struct party *p)
{
	if (weft_fetch_sub_acq_rel(&p->holders, UINT64_C(1)) > 1)
		return;
	if (p->value && p->drop)
		p->drop(p->value, p->drop_arg);
	free(p);
}

/* --- the map: all under the lock of the shard --- */

static struct flying *flying_at(struct list *l)
{
	return list_entry(l, struct flying, link);
}

static struct list *bucket_of(struct shard *s, uint64_t hash)
{
	return &s->bucket[hash % BUCKETS];
}

static struct flying *find(struct shard *s, uint64_t hash,
                           struct weft_flight_key key)
{
	struct list *bucket = bucket_of(s, hash);

	for (struct list *l = bucket->next; l != bucket; l = l->next) {
		struct flying *other = flying_at(l);

		if (other->hash == hash && other->key.bytes == key.bytes &&
		    key_is_same(other->key.at, key.at, key.bytes))
			return other;
	}
	return NULL;
}

static void take_off(struct call *c)
{
	struct shard *s = c->shard;

	list_push(bucket_of(s, c->flying.hash), &c->flying.link);
	s->stats.calls++;
	s->stats.executions++;
	s->stats.in_flight++;
}

static void join(struct call *c, struct party *p)
{
	struct shard *s = c->shard;

	weft_fetch_add_relaxed(&p->holders, UINT64_C(1));
	p->waiting++;
	c->followed = p;
	s->stats.calls++;
	s->stats.waiting++;
}

/* Lead or follow; -ENOBUFS: it takes a party, which is not there. *spare
 * becomes NULL when it is used. */
static int enter_with(struct call *c, struct party **spare)
{
	struct flying *other = find(c->shard, c->flying.hash, c->flying.key);

	if (!other) {
		take_off(c);
		return 0;
	}
	if (other->leader == c->flying.leader)
		return -EDEADLK;
	if (!c->may_wait)
		return -ETIMEDOUT;
	if (!other->party) {
		if (!*spare)
			return -ENOBUFS;
		other->party = *spare;
		*spare = NULL;
	}
	join(c, other->party);
	return 0;
}

/* No memory is asked for under the lock. */
static int enter(struct call *c)
{
	struct party *spare = NULL;
	int err;

	for (;;) {
		weft_lock_acquire(&c->shard->lock);
		err = enter_with(c, &spare);
		weft_lock_release(&c->shard->lock);
		if (err != -ENOBUFS)
			break;
		spare = party_new(c->flight);
		if (!spare)
			return -ENOMEM;
	}
	free(spare);
	return err;
}

/* --- leading --- */

static int call_fn(void *arg)
{
	struct call *c = arg;

	return c->fn(c->arg, &c->value);
}

/* The flight ends. All that wait for it get its result, whatever ends their
 * wait: so they are counted here. */
static struct party *land(struct call *c, bool died)
{
	struct shard *s = c->shard;
	struct weft_flight_stats *stats = &s->stats;
	struct party *p;

	weft_lock_acquire(&s->lock);
	list_unlink(&c->flying.link);
	stats->in_flight--;
	stats->died += died;
	p = c->flying.party;
	if (p) {
		stats->waiting -= p->waiting;
		stats->saved += p->waiting;
		p->status = c->status;
		p->value = c->value;
		weft_store_release(&p->landed, true); /* [landed] */
	}
	weft_lock_release(&s->lock);
	return p;
}

static void fn_ended(void *arg, enum weft_guard_end end, int status)
{
	struct call *c = arg;
	struct party *p;

	if (end != WEFT_GUARD_RETURNED && status >= 0)
		status = -ECANCELED;
	c->status = status;
	if (status < 0)
		c->value = NULL;
	p = land(c, end != WEFT_GUARD_RETURNED);
	if (!p)
		return;
	weft_waiters_wake(&p->landing, SIZE_MAX);
	/* The leader holds it on, unless its thread is ending. */
	if (end == WEFT_GUARD_DIED)
		party_unref(p);
}

static void lead(struct call *c, struct weft_flight_result *out)
{
	struct party *p;

	weft_guard(call_fn, c, fn_ended);
	p = c->flying.party;
	*out = (struct weft_flight_result){
		.value = c->value,
		.status = c->status,
		.led = true,
		.shared = p != NULL,
		.party = p,
		.drop = c->flight->drop,
		.drop_arg = c->flight->drop_arg,
	};
}

/* --- following --- */

static int look(void *arg)
{
	const struct party *p = arg;

	if (weft_load_acquire(&p->landed)) /* [landed] */
		return 0;
	return weft_ending_is_set(&p->flight->end)
	               ? weft_ending_why(&p->flight->end)
	               : -EAGAIN;
}

/* The wait is over without a result, unless there is one by now. */
static int leave(struct call *c, int err)
{
	struct shard *s = c->shard;
	struct party *p = c->followed;

	weft_lock_acquire(&s->lock);
	if (weft_load_relaxed(&p->landed)) {
		err = 0;
	} else {
		p->waiting--;
		s->stats.waiting--;
		s->stats.gave_up++;
	}
	weft_lock_release(&s->lock);
	if (err)
		party_unref(p);
	return err;
}

static int follow(struct call *c, struct weft_flight_result *out,
                  struct weft_ctx *ctx, int64_t deadline_ns)
{
	struct party *p = c->followed;
	int err = weft_waiters_wait(&p->landing, "flight", look, p, ctx,
	                            deadline_ns);

	if (err)
		err = leave(c, err);
	if (err)
		return err;
	*out = (struct weft_flight_result){ .value = p->value,
		                            .status = p->status,
		                            .shared = true,
		                            .party = p };
	return 0;
}

/* --- the calls --- */

static bool is_key(struct weft_flight_key key)
{
	return key.at || !key.bytes;
}

static uint64_t hash_of(struct weft_flight_key key)
{
	return key_hash(key.at, key.bytes, 0);
}

/* By the upper bits; buckets go by the lower ones. */
static struct shard *shard_of(struct weft_flight *f, uint64_t hash)
{
	return &f->shard[(hash >> 32) * f->shards >> 32];
}

static int fly(struct call *c, struct weft_flight_result *out,
               struct weft_ctx *ctx, int64_t deadline_ns)
{
	int err = enter(c);

	if (!err && c->followed)
		err = follow(c, out, ctx, deadline_ns);
	else if (!err)
		lead(c, out);
	if (err || out->status >= 0)
		return err;
	if (out->party)
		party_unref(out->party);
	out->party = NULL;
	return weft_failure_of(out->status);
}

int weft_flight_do_ctx(struct weft_flight *f, struct weft_flight_key key,
                       weft_flight_fn fn, void *arg,
                       struct weft_flight_result *out, struct weft_ctx *ctx,
                       int64_t deadline_ns)
{
	struct weft_flight_result own;
	struct call c = { .flight = f,
		          .fn = fn,
		          .arg = arg,
		          .may_wait = deadline_ns > WEFT_NOW,
		          .flying.key = key };
	int err;

	if (!out)
		out = &own;
	*out = (struct weft_flight_result){ .value = NULL };
	if (!f || !fn || !is_key(key))
		return -EINVAL;
	err = weft_ctx_err(ctx);
	if (!err)
		err = weft_ending_why(&f->end);
	if (err)
		return err;
	c.flying.hash = hash_of(key);
	c.flying.leader = weft_self();
	c.shard = shard_of(f, c.flying.hash);
	err = fly(&c, out, ctx, deadline_ns);
	if (out == &own)
		weft_flight_release(&own);
	return err;
}

int weft_flight_do(struct weft_flight *f, struct weft_flight_key key,
                   weft_flight_fn fn, void *arg, struct weft_flight_result *out,
                   int64_t deadline_ns)
{
	return weft_flight_do_ctx(f, key, fn, arg, out, NULL, deadline_ns);
}

int weft_flight_try_do(struct weft_flight *f, struct weft_flight_key key,
                       weft_flight_fn fn, void *arg,
                       struct weft_flight_result *out)
{
	int err = weft_flight_do(f, key, fn, arg, out, WEFT_NOW);

	return f ? weft_ending_tried(&f->end, err) : err;
}

void weft_flight_release(struct weft_flight_result *r)
{
	if (!r)
		return;
	if (r->party)
		party_unref(r->party);
	else if (r->value && r->drop)
		r->drop(r->value, r->drop_arg);
	*r = (struct weft_flight_result){ .value = NULL };
}

static int forget(struct weft_flight *f, struct weft_flight_key key,
                  bool unshared)
{
	struct flying *other;
	struct shard *s;
	int err = 0;

	if (!f || !is_key(key))
		return -EINVAL;
	s = shard_of(f, hash_of(key));
	weft_lock_acquire(&s->lock);
	other = find(s, hash_of(key), key);
	if (!other) {
		err = -ENOENT;
	} else if (unshared && other->party && other->party->waiting) {
		err = -EBUSY;
	} else {
		/* A stop still has to find those that follow it. */
		list_unlink(&other->link);
		list_push(&s->forgotten, &other->link);
	}
	weft_lock_release(&s->lock);
	return err;
}

int weft_flight_forget(struct weft_flight *f, struct weft_flight_key key)
{
	return forget(f, key, false);
}

int weft_flight_forget_unshared(struct weft_flight *f,
                                struct weft_flight_key key)
{
	return forget(f, key, true);
}

int64_t weft_flight_peek(struct weft_flight *f, struct weft_flight_key key)
{
	const struct flying *other;
	struct shard *s;
	int64_t n = -ENOENT;

	if (!f || !is_key(key))
		return -EINVAL;
	s = shard_of(f, hash_of(key));
	weft_lock_acquire(&s->lock);
	other = find(s, hash_of(key), key);
	if (other)
		n = 1 + (other->party ? (int64_t)other->party->waiting : 0);
	weft_lock_release(&s->lock);
	return n;
}

/* --- the end --- */

static void wake_all_in(struct list *flights)
{
	for (struct list *l = flights->next; l != flights; l = l->next)
		if (flying_at(l)->party)
			weft_waiters_wake(&flying_at(l)->party->landing,
			                  SIZE_MAX);
}

/* A call that joins behind this has taken the lock, and sees the reason. */
static void release_all(void *arg)
{
	struct weft_flight *f = arg;

	for (unsigned i = 0; i < f->shards; i++) {
		struct shard *s = &f->shard[i];

		weft_lock_acquire(&s->lock);
		for (unsigned b = 0; b < BUCKETS; b++)
			wake_all_in(&s->bucket[b]);
		wake_all_in(&s->forgotten);
		weft_lock_release(&s->lock);
	}
}

static const struct weft_ending_ops ending_ops = { .release = release_all };

int weft_flight_stop(struct weft_flight *f)
{
	return f ? weft_ending_stop(&f->end, -ECANCELED) : -EINVAL;
}

int weft_flight_fail(struct weft_flight *f, int err)
{
	return f ? weft_ending_fail(&f->end, err) : -EINVAL;
}

int weft_flight_stats(struct weft_flight *f, struct weft_flight_stats *out)
{
	if (!f || !out)
		return -EINVAL;
	*out = (struct weft_flight_stats){ .calls = 0 };
	for (unsigned i = 0; i < f->shards; i++) {
		struct shard *s = &f->shard[i];

		weft_lock_acquire(&s->lock);
		out->calls += s->stats.calls;
		out->executions += s->stats.executions;
		out->saved += s->stats.saved;
		out->gave_up += s->stats.gave_up;
		out->died += s->stats.died;
		out->in_flight += s->stats.in_flight;
		out->waiting += s->stats.waiting;
		weft_lock_release(&s->lock);
	}
	return 0;
}

static void init_shard(struct shard *s)
{
	weft_lock_init(&s->lock);
	for (unsigned b = 0; b < BUCKETS; b++)
		list_init(&s->bucket[b]);
	list_init(&s->forgotten);
	s->stats = (struct weft_flight_stats){ .calls = 0 };
}

int weft_flight_new(struct weft_flight **out,
                    const struct weft_flight_opts *opts)
{
	struct weft_flight *f;
	unsigned shards;
	int err;

	if (!out || !opts || opts->shards > WEFT_FLIGHT_SHARDS_MAX ||
	    (unsigned)opts->wait > WEFT_WAIT_PARK)
		return -EINVAL;
	shards = opts->shards ? opts->shards : WEFT_FLIGHT_SHARDS;
	f = cacheline_alloc(sizeof(*f), shards, sizeof(f->shard[0]));
	if (!f)
		return -ENOMEM;
	f->shards = shards;
	f->wait = opts->wait;
	f->drop = opts->drop;
	f->drop_arg = opts->drop_arg;
	weft_ending_init(&f->end, &ending_ops, f);
	for (unsigned i = 0; i < shards; i++)
		init_shard(&f->shard[i]);
	err = weft_ending_watch(&f->end, opts->ctx);
	if (err) {
		free(f);
		return err;
	}
	*out = f;
	return 0;
}

void weft_flight_free(struct weft_flight *f)
{
	if (!f)
		return;
	weft_ending_unwatch(&f->end);
	free(f);
}
