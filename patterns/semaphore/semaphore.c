/*
 * The permits are one word, and so is whether anybody waits: a release learns
 * from its own compare-and-swap whether there is a line to look at, and an
 * acquire that gets in line says so with one. Neither can miss the other.
 *
 * The task that takes the line's lock lets in as many as there are permits for,
 * from the front. A waiter is let in by others, and only looks whether it was.
 */
#include "semaphore.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include <weft/atomic.h>
#include <weft/sync.h>
#include <weft/task.h>

#include "base/cacheline.h"
#include "common/ending.h"
#include "common/line.h"

/*
 * The word: from the lowest bit
 *	LINE     somebody waits that could be let in, so nobody goes past
 *	ENDED    there is a reason: see weft_ending_why()
 *	free     31 bits, permits that are not held, offset by FREE_ZERO: after
 *	         a resize there may be fewer than none
 *	permits  the rest
 */
#define LINE UINT64_C(1)
#define ENDED UINT64_C(2)
#define FREE_SHIFT 2
#define FREE_BITS 31
#define FREE_ZERO (INT64_C(1) << (FREE_BITS - 1))
#define FREE_MASK ((UINT64_C(1) << FREE_BITS) - 1)
#define PERMITS_SHIFT (FREE_SHIFT + FREE_BITS)

_Static_assert(PERMITS_SHIFT + 30 <= 64 && WEFT_PERMITS_MAX < FREE_ZERO,
               "the word is too small");

struct weft_semaphore {
	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t word;

	/* Beside the fast path. */
	_Alignas(WEFT_CACHE_LINE) struct weft_ending end;
	struct weft_lock lock;

	/* Under the lock. */
	struct list line; /* of struct place, in the order in which they came */
	struct weft_semaphore_stats stats; /* without permits and held */
};

/* A waiter's place in the line; on its stack. */
struct place {
	struct line_place line;
	int64_t n;
};

static int64_t free_in(uint64_t word)
{
	return (int64_t)(word >> FREE_SHIFT & FREE_MASK) - FREE_ZERO;
}

static int64_t permits_in(uint64_t word)
{
	return (int64_t)(word >> PERMITS_SHIFT);
}

static uint64_t word_of(int64_t permits, int64_t free, uint64_t bits)
{
	return (uint64_t)permits << PERMITS_SHIFT |
	       (uint64_t)(free + FREE_ZERO) << FREE_SHIFT | bits;
}

/* The same word with n permits more free. */
static uint64_t word_plus(uint64_t word, int64_t n)
{
	return word + ((uint64_t)n << FREE_SHIFT);
}

/* --- without waiting --- */

/* Take n permits if they are there and none of these bits is set. Acquire, so
 * that what was written before the release is visible. */
static bool take(struct weft_semaphore *s, int64_t n, uint64_t bits)
{
	uint64_t word = weft_load_relaxed(&s->word);

	while (!(word & bits) && free_in(word) >= n)
		if (weft_cas_weak_acquire(&s->word, &word, word_plus(word, -n)))
			return true;
	return false;
}

static void set_bits(struct weft_semaphore *s, uint64_t bits, bool on)
{
	uint64_t word = weft_load_relaxed(&s->word);

	while (!weft_cas_weak_acq_rel(&s->word, &word,
	                              on ? word | bits : word & ~bits))
		;
}

/* --- the line: all under the lock --- */

static struct place *place_at(struct list *l)
{
	return list_entry(line_place_of(l), struct place, line);
}

/* The first that asks for no more than there is in all; NULL. */
static struct place *first_in_line(struct weft_semaphore *s)
{
	int64_t permits = permits_in(weft_load_relaxed(&s->word));

	for (struct list *l = s->line.next; l != &s->line; l = l->next)
		if (place_at(l)->n <= permits)
			return place_at(l);
	return NULL;
}

static bool let_in(struct place *p)
{
	weft_line_let_in(&p->line);
	return true;
}

/*
 * Let in as many as there are permits for.
 *
 * LINE is set before the look at the permits: a release that comes before the
 * look is seen by it, and one that comes after sees LINE, and looks itself.
 */
static void look_at_line(struct weft_semaphore *s)
{
	struct place *p;

	do {
		p = first_in_line(s);
		set_bits(s, LINE, p != NULL);
	} while (p && take(s, p->n, 0) && let_in(p));
}

/* --- the end --- */

static void release_all(void *arg)
{
	struct weft_semaphore *s = arg;

	set_bits(s, ENDED, true);
	weft_lock_acquire(&s->lock);
	weft_line_look(&s->line);
	weft_lock_release(&s->lock);
}

static const struct weft_ending_ops ending_ops = { .release = release_all };

/* --- waiting --- */

static int why(void *arg)
{
	struct weft_semaphore *s = arg;

	return weft_ending_why(&s->end);
}

/* Get in line, unless the permits are there after all. */
static bool line_up(struct weft_semaphore *s, struct place *p)
{
	bool taken;

	weft_lock_acquire(&s->lock);
	list_push(&s->line, &p->line.link);
	look_at_line(s);
	taken = weft_load_relaxed(&p->line.let_in);
	s->stats.waiting += !taken;
	weft_lock_release(&s->lock);
	return taken;
}

/* The wait is over, by `err`: 0 when it was let in meanwhile. The waiter
 * behind may have waited for this one only. */
static int step_out(struct weft_semaphore *s, struct place *p, int err,
                    int64_t since)
{
	struct weft_semaphore_stats *stats = &s->stats;
	int64_t ns = weft_now() - since;

	weft_lock_acquire(&s->lock);
	if (!weft_line_left(&p->line, &err))
		look_at_line(s);
	stats->waiting--;
	stats->waited += !err;
	stats->gave_up += err != 0;
	stats->wait_ns += ns;
	if (ns > stats->longest_ns)
		stats->longest_ns = ns;
	weft_lock_release(&s->lock);
	return err;
}

static int wait_for(struct weft_semaphore *s, int64_t n, struct weft_ctx *ctx,
                    int64_t deadline_ns)
{
	struct place p = { .n = n };
	int64_t since = weft_now();
	int err;

	weft_line_place_init(&p.line, why, s);
	if (line_up(s, &p))
		return 0;
	err = weft_line_wait(&p.line, "semaphore", ctx, deadline_ns);
	return step_out(s, &p, err, since);
}

/* --- the calls --- */

static bool is_count(int64_t n)
{
	return n >= 0 && n <= WEFT_PERMITS_MAX;
}

int weft_semaphore_acquire_ctx(struct weft_semaphore *s, int64_t n,
                               struct weft_ctx *ctx, int64_t deadline_ns)
{
	int err;

	if (!s || !is_count(n))
		return -EINVAL;
	err = weft_ctx_err(ctx);
	if (err)
		return err;
	if (take(s, n, LINE | ENDED))
		return 0;
	err = weft_ending_why(&s->end);
	if (err)
		return err;
	if (deadline_ns <= WEFT_NOW)
		return -ETIMEDOUT;
	return wait_for(s, n, ctx, deadline_ns);
}

int weft_semaphore_acquire(struct weft_semaphore *s, int64_t n,
                           int64_t deadline_ns)
{
	return weft_semaphore_acquire_ctx(s, n, NULL, deadline_ns);
}

int weft_semaphore_try_acquire(struct weft_semaphore *s, int64_t n)
{
	int err;

	if (!s || !is_count(n))
		return -EINVAL;
	if (take(s, n, LINE | ENDED))
		return 0;
	err = weft_ending_why(&s->end);
	return err ? err : -EAGAIN;
}

static void look_at_line_locked(struct weft_semaphore *s)
{
	weft_lock_acquire(&s->lock);
	look_at_line(s);
	weft_lock_release(&s->lock);
}

int weft_semaphore_release(struct weft_semaphore *s, int64_t n)
{
	uint64_t word;

	if (!s || n < 0)
		return -EINVAL;
	word = weft_load_relaxed(&s->word);
	do {
		if (n > permits_in(word) - free_in(word))
			return -EOVERFLOW;
	} while (!weft_cas_weak_acq_rel(&s->word, &word, word_plus(word, n)));
	if (word & LINE)
		look_at_line_locked(s);
	return 0;
}

int weft_semaphore_resize(struct weft_semaphore *s, int64_t permits)
{
	uint64_t word, to;

	if (!s || !is_count(permits))
		return -EINVAL;
	/* Under the lock: which waiters can be let in at all depends on it. */
	weft_lock_acquire(&s->lock);
	word = weft_load_relaxed(&s->word);
	do
		to = word_of(permits,
		             free_in(word) + permits - permits_in(word),
		             word & (LINE | ENDED));
	while (!weft_cas_weak_acq_rel(&s->word, &word, to));
	look_at_line(s);
	weft_lock_release(&s->lock);
	return 0;
}

int weft_semaphore_stop(struct weft_semaphore *s)
{
	return s ? weft_ending_stop(&s->end, -ECANCELED) : -EINVAL;
}

int weft_semaphore_fail(struct weft_semaphore *s, int err)
{
	return s ? weft_ending_fail(&s->end, err) : -EINVAL;
}

int weft_semaphore_stats(struct weft_semaphore *s,
                         struct weft_semaphore_stats *out)
{
	uint64_t word;

	if (!s || !out)
		return -EINVAL;
	weft_lock_acquire(&s->lock);
	*out = s->stats;
	weft_lock_release(&s->lock);
	word = weft_load_relaxed(&s->word);
	out->permits = permits_in(word);
	out->held = permits_in(word) - free_in(word);
	return 0;
}

int weft_semaphore_new(struct weft_semaphore **out,
                       const struct weft_semaphore_opts *opts)
{
	struct weft_semaphore *s;
	int err;

	if (!out || !opts || !is_count(opts->permits))
		return -EINVAL;
	s = cacheline_new(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	weft_store_relaxed(&s->word, word_of(opts->permits, opts->permits, 0));
	weft_ending_init(&s->end, &ending_ops, s);
	weft_lock_init(&s->lock);
	list_init(&s->line);
	err = weft_ending_watch(&s->end, opts->ctx);
	if (err) {
		free(s);
		return err;
	}
	*out = s;
	return 0;
}

void weft_semaphore_free(struct weft_semaphore *s)
{
	if (!s)
		return;
	weft_ending_unwatch(&s->end);
	free(s);
}
