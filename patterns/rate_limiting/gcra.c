/*
 * Keys are spread over shards by a hash that is seeded, so that nobody can aim
 * at one of them. A shard is a lock, a hash table and the places for its keys,
 * all there from the start.
 *
 * A key that has all of its burst is as good as unknown. Its place is taken
 * back when another key needs one and there is none: a hand goes round over the
 * places of the shard until it has found one. When it finds none on all the way
 * round it has seen when the first of them will be full, and until then nobody
 * need look again.
 */
#include "gcra.h"

#include <stdlib.h>

#include "base/cacheline.h"
#include "common/key.h"
#include "internal.h"

#define SHARDS 16
#define NONE UINT32_MAX

struct entry {
	uint64_t key;
	limiter_ticks full_at;
	uint32_t next; /* in its chain, or among the free */
};

struct shard {
	struct weft_lock lock;

	/* Constant. */
	struct entry *entries;
	uint32_t *chains; /* a power of two */
	uint32_t n, mask;

	/* Under the lock. */
	uint32_t free, hand;
	int64_t none_before_ns; /* no place comes free before that */
	uint64_t keys, evicted, crowded;
};

struct weft_gcra {
	struct limiter_line line;

	/* Constant. */
	struct limiter_limit limit;
	uint64_t seed;
	struct shard shards[SHARDS];
};

/* --- places: all under the lock of the shard --- */

static uint64_t hash_of(const struct weft_gcra *g, uint64_t key)
{
	return key_hash((const char *)&key, sizeof(key), g->seed);
}

static struct shard *shard_of(struct weft_gcra *g, uint64_t hash)
{
	return &g->shards[hash % SHARDS];
}

static uint32_t *chain_of(const struct shard *s, uint64_t hash)
{
	return &s->chains[hash / SHARDS & s->mask];
}

static struct entry *find(const struct shard *s, uint64_t hash, uint64_t key)
{
	uint32_t i = *chain_of(s, hash);

	while (i != NONE && s->entries[i].key != key)
		i = s->entries[i].next;
	return i == NONE ? NULL : &s->entries[i];
}

/* The entry loses its key, and is free. */
static void give_up(struct weft_gcra *g, struct shard *s, struct entry *e)
{
	uint32_t i = (uint32_t)(e - s->entries);
	uint32_t *link = chain_of(s, hash_of(g, e->key));

	while (*link != i)
		link = &s->entries[*link].next;
	*link = e->next;
	e->next = s->free;
	s->free = i;
	s->keys--;
}

/* When what lacks so much will be full. */
static int64_t full_in(const struct weft_gcra *g, limiter_ticks lack,
                       int64_t now)
{
	const struct limiter_limit full = { g->limit.rate, 0 };

	return limiter_when(&full, lack, now);
}

/* All places are taken: go round until one is free. */
static void evict(struct weft_gcra *g, struct shard *s, int64_t now)
{
	limiter_ticks least = 0;

	if (now < s->none_before_ns)
		return;
	for (uint32_t i = 0; i < s->n && s->free == NONE; i++) {
		struct entry *e = &s->entries[s->hand];
		limiter_ticks lack =
		        limiter_lack(&g->limit.rate, e->full_at, now);

		s->hand = (s->hand + 1) % s->n;
		if (!lack) {
			give_up(g, s, e);
			s->evicted++;
		}
		least = i == 0 || lack < least ? lack : least;
	}
	s->none_before_ns = full_in(g, least, now);
}

/* A place for a new key, which has all of its burst; NULL. */
static struct entry *settle(struct weft_gcra *g, struct shard *s, uint64_t hash,
                            uint64_t key, int64_t now)
{
	uint32_t *chain = chain_of(s, hash), i;

	if (s->free == NONE)
		evict(g, s, now);
	i = s->free;
	if (i == NONE) {
		s->crowded++;
		return NULL;
	}
	s->free = s->entries[i].next;
	s->entries[i] = (struct entry){ .key = key,
		                        .full_at = limiter_ticks_of(
		                                &g->limit.rate, now),
		                        .next = *chain };
	*chain = i;
	s->keys++;
	return &s->entries[i];
}

/* --- taking tokens --- */

struct request {
	uint64_t key;
	int64_t n, until_ns;
	limiter_ticks full_at; /* when the key will be full, after all */
};

static void tell(const struct weft_gcra *g, limiter_ticks full_at, int64_t at,
                 struct weft_gcra_state *out)
{
	limiter_ticks lack = limiter_lack(&g->limit.rate, full_at, at);

	out->at_ns = at;
	out->full_ns = full_in(g, lack, at);
	out->remaining = limiter_left(&g->limit, lack);
}

/* Under the lock. To tell how the key stands takes divisions. */
static int take_locked(struct weft_gcra *g, struct shard *s, uint64_t hash,
                       struct request *r, struct weft_gcra_state *out)
{
	int64_t now = weft_now(), at;
	struct entry *e = find(s, hash, r->key);
	int err;

	r->full_at = e ? e->full_at : limiter_ticks_of(&g->limit.rate, now);
	err = limiter_take(&g->limit, &r->full_at, r->n, now, r->until_ns, &at);
	/* What takes nothing needs no place. */
	if (!err && !e && limiter_lack(&g->limit.rate, r->full_at, now)) {
		e = settle(g, s, hash, r->key, now);
		err = e ? 0 : -ENOBUFS;
	}
	if (!err && e)
		e->full_at = r->full_at;
	if (out)
		tell(g, r->full_at, at, out);
	return err;
}

static int take(struct weft_gcra *g, struct request *r,
                struct weft_gcra_state *out)
{
	uint64_t hash = hash_of(g, r->key);
	struct shard *s = shard_of(g, hash);
	int err;

	weft_lock_acquire(&s->lock);
	err = take_locked(g, s, hash, r, out);
	weft_lock_release(&s->lock);
	return err;
}

/* After a wait in vain: only what nobody has counted on. */
static void give_back(struct weft_gcra *g, const struct request *r)
{
	uint64_t hash = hash_of(g, r->key);
	struct shard *s = shard_of(g, hash);
	struct entry *e;

	weft_lock_acquire(&s->lock);
	e = find(s, hash, r->key);
	if (e && e->full_at == r->full_at) {
		e->full_at -= (limiter_ticks)r->n * g->limit.rate.per_ns;
		s->none_before_ns = 0;
	}
	weft_lock_release(&s->lock);
}

int weft_gcra_allow(struct weft_gcra *g, uint64_t key, int64_t n,
                    struct weft_gcra_state *state)
{
	struct request r = { key, n, WEFT_NOW, 0 };
	int why;

	if (!g || n < 0)
		return -EINVAL;
	why = weft_ending_why(&g->line.end);
	return why ? why : take(g, &r, state);
}

int weft_gcra_wait(struct weft_gcra *g, uint64_t key, int64_t n,
                   struct weft_ctx *ctx, int64_t deadline_ns,
                   struct weft_gcra_state *state)
{
	struct request r = { key, n, limiter_by(ctx, deadline_ns), 0 };
	struct weft_gcra_state unused = { 0 }, *out = state ? state : &unused;
	int64_t since;
	int err;

	if (!g || n < 0)
		return -EINVAL;
	err = weft_ctx_err(ctx);
	if (!err)
		err = weft_ending_why(&g->line.end);
	if (!err)
		err = take(g, &r, out);
	if (err)
		return err == -EAGAIN ? -ETIMEDOUT : err;
	if (out->at_ns <= weft_now())
		return 0;
	since = weft_limiter_line_begin(&g->line);
	err = weft_limiter_line_until(&g->line, ctx, out->at_ns);
	if (err)
		give_back(g, &r);
	return weft_limiter_line_end(&g->line, since, err);
}

/* --- making and ending --- */

static void release(void *arg)
{
	struct weft_gcra *g = arg;

	weft_limiter_line_release(&g->line);
}

static const struct weft_ending_ops ending_ops = { .release = release };

/* Keys do not spread evenly: a quarter more, and for small numbers some. Half
 * as many chains as places and up to as many. */
static int make_shard(struct shard *s, int64_t keys)
{
	uint32_t chains = 1;

	weft_lock_init(&s->lock);
	s->n = (uint32_t)(keys / SHARDS + keys / SHARDS / 4) + 32;
	while (chains <= s->n / 2)
		chains *= 2;
	s->mask = chains - 1;
	s->entries = cacheline_new(s->n, sizeof(*s->entries));
	s->chains = cacheline_new(chains, sizeof(*s->chains));
	if (!s->entries || !s->chains)
		return -ENOMEM;
	for (uint32_t i = 0; i < chains; i++)
		s->chains[i] = NONE;
	for (uint32_t i = 0; i < s->n; i++)
		s->entries[i].next = i + 1 < s->n ? i + 1 : NONE;
	return 0;
}

static void unmake(struct weft_gcra *g)
{
	for (int i = 0; i < SHARDS; i++) {
		free(g->shards[i].entries);
		free(g->shards[i].chains);
	}
	free(g);
}

static int make(struct weft_gcra *g, const struct weft_gcra_opts *opts)
{
	int err = 0;

	for (int i = 0; i < SHARDS && !err; i++)
		err = make_shard(&g->shards[i], opts->keys);
	return err ? err : weft_ending_watch(&g->line.end, opts->ctx);
}

int weft_gcra_new(struct weft_gcra **out, const struct weft_gcra_opts *opts)
{
	struct limiter_limit limit;
	struct weft_gcra *g;
	int err;

	if (!out || !opts ||
	    weft_limiter_limit(&limit, opts->rate, opts->burst) ||
	    opts->keys < 1 || opts->keys > WEFT_GCRA_KEYS_MAX ||
	    (unsigned)opts->wait > WEFT_WAIT_PARK)
		return -EINVAL;
	g = cacheline_new(1, sizeof(*g));
	if (!g)
		return -ENOMEM;
	g->limit = limit;
	g->seed = weft_rand();
	weft_limiter_line_init(&g->line, &ending_ops, g, opts->wait);
	err = make(g, opts);
	if (err) {
		unmake(g);
		return err;
	}
	*out = g;
	return 0;
}

void weft_gcra_free(struct weft_gcra *g)
{
	if (!g)
		return;
	weft_ending_unwatch(&g->line.end);
	unmake(g);
}

int weft_gcra_stop(struct weft_gcra *g)
{
	return g ? weft_ending_stop(&g->line.end, -ECANCELED) : -EINVAL;
}

int weft_gcra_fail(struct weft_gcra *g, int err)
{
	return g ? weft_ending_fail(&g->line.end, err) : -EINVAL;
}

int weft_gcra_stats(struct weft_gcra *g, struct weft_gcra_stats *out)
{
	struct limiter_waits waits;

	if (!g || !out)
		return -EINVAL;
	waits = weft_limiter_line_waits(&g->line);
	*out = (struct weft_gcra_stats){ .waiting = waits.waiting,
		                         .waited = waits.waited,
		                         .gave_up = waits.gave_up,
		                         .wait_ns = waits.wait_ns,
		                         .longest_ns = waits.longest_ns };
	for (int i = 0; i < SHARDS; i++) {
		struct shard *s = &g->shards[i];

		weft_lock_acquire(&s->lock);
		out->keys += s->keys;
		out->evicted += s->evicted;
		out->crowded += s->crowded;
		weft_lock_release(&s->lock);
	}
	return 0;
}
