#include "stress/conform/underway.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include <weft/atomic.h>
#include <weft/task.h>

#include "chan/internal.h"
#include "task/internal.h"

/* Threads that make calls; the slots of those that came first are used again.
 */
#define SLOTS 1024

struct slot {
	_Atomic(const struct weft_chan *) on; /* of the call under way */
	_Atomic(const char *) what;           /* NULL: none is under way */
	_Atomic int64_t since_ns, deadline_ns;
	_Atomic uint64_t calls; /* so far: tells a call from the next */
	_Atomic(struct weft_chan *) c;
	_Atomic uint64_t sent, received; /* on c */
	_Atomic(const struct weft_task *) task;
};

static struct slot slots[SLOTS];
static _Atomic unsigned taken;
static _Thread_local struct slot *own;

/* Channels that were closed, by their address. */
static _Atomic(const struct weft_chan *) closed[SLOTS];

static unsigned place_of(const struct weft_chan *c)
{
	return (unsigned)((uintptr_t)c / WEFT_CACHE_LINE % SLOTS);
}

/* The clock of the machine, also in a run with a manual one. The coarse one
 * does: hangs last seconds. */
static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_sec * WEFT_SEC + now.tv_nsec;
}

static struct slot *mine(void)
{
	if (!own) {
		own = &slots[weft_fetch_add_relaxed(&taken, 1u) % SLOTS];
		weft_store_relaxed(&own->c, NULL);
	}
	return own;
}

/* Noted last: what the slot says of the call is there before. */
static void begin(struct slot *s, const struct weft_chan *c, const char *what)
{
	weft_store_relaxed(&s->on, c);
	weft_store_relaxed(&s->calls, weft_load_relaxed(&s->calls) + 1);
	weft_store_release(&s->what, what);
}

void underway_begin(struct weft_chan *c, const char *what, int64_t deadline_ns)
{
	struct slot *s = mine();

	if (weft_load_relaxed(&s->c) != c) {
		weft_store_relaxed(&s->c, c);
		weft_store_relaxed(&s->sent, 0u);
		weft_store_relaxed(&s->received, 0u);
		weft_store_relaxed(&s->task, weft_self_or_null());
	}
	weft_store_relaxed(&s->deadline_ns, deadline_ns);
	if (deadline_ns != WEFT_NOW)
		weft_store_relaxed(&s->since_ns, now_ns());
	begin(s, c, what);
}

void underway_plain(const struct weft_chan *c, const char *what)
{
	struct slot *s = mine();

	weft_store_relaxed(&s->task, weft_self_or_null());
	weft_store_relaxed(&s->deadline_ns, WEFT_NOW);
	begin(s, c, what);
}

static void add(_Atomic uint64_t *to, size_t n)
{
	if (n)
		weft_store_relaxed(to, weft_load_relaxed(to) + n);
}

void underway_end(size_t sent, size_t received)
{
	struct slot *s = mine();

	add(&s->sent, sent);
	add(&s->received, received);
	weft_store_release(&s->what, NULL);
}

void underway_new(const struct weft_chan *c)
{
	weft_store_relaxed(&closed[place_of(c)], NULL);
}

void underway_closed(const struct weft_chan *c)
{
	weft_store_relaxed(&closed[place_of(c)], c);
}

/* --- the report --- */

/* Where hundreds wait, some will do. */
#define SHOWN 8

/* Calls on a channel that wait, and what its calls have done. */
struct tally {
	struct weft_chan *c;
	unsigned senders, receivers, others;
	uint64_t sent, received;
};

static bool is_under_way(const struct slot *s)
{
	return weft_load_acquire(&s->what) &&
	       weft_load_relaxed(&s->deadline_ns) != WEFT_NOW;
}

/* --- calls that are to return at once --- */

/* One that is found in both of two looks, so far apart, is taken to hang. */
#define APART (500 * WEFT_MS)

/* By slot: the number of the call that was under way at the first look, or 0.
 */
static uint64_t looked_at[SLOTS];

static bool is_plain(const struct slot *s)
{
	return weft_load_acquire(&s->what) &&
	       weft_load_relaxed(&s->deadline_ns) == WEFT_NOW;
}

static void look_for_plain_calls(void)
{
	const struct timespec apart = { .tv_nsec = APART };
	bool any = false;

	for (unsigned i = 0; i < SLOTS; i++) {
		looked_at[i] = is_plain(&slots[i])
		                       ? weft_load_relaxed(&slots[i].calls)
		                       : 0;
		any = any || looked_at[i];
	}
	if (any)
		nanosleep(&apart, NULL);
}

/* Whether a call that never waits has not returned since that look. */
static bool is_stuck(unsigned i)
{
	return looked_at[i] && is_plain(&slots[i]) &&
	       weft_load_relaxed(&slots[i].calls) == looked_at[i];
}

static bool has_stuck_call(const struct weft_chan *c)
{
	for (unsigned i = 0; i < SLOTS; i++)
		if (is_stuck(i) && weft_load_relaxed(&slots[i].on) == c)
			return true;
	return false;
}

static void print_stuck(FILE *to, const struct slot *s)
{
	const struct weft_task *task = weft_load_relaxed(&s->task);

	fprintf(to,
	        "  %s is in %s on channel %p, which does not "
	        "return\n" UNDERWAY_LIKELY "%s() does not return\n",
	        task ? task->name : "a thread", weft_load_acquire(&s->what),
	        (const void *)weft_load_relaxed(&s->on),
	        weft_load_acquire(&s->what));
}

/* --- calls that wait --- */

static void print_call(FILE *to, const struct slot *s, int64_t now)
{
	const struct weft_task *task = weft_load_relaxed(&s->task);

	fprintf(to,
	        "  %s waits in %s on channel %p for %.1f s, after %" PRIu64
	        " sends and %" PRIu64 " receives of its own\n",
	        task ? task->name : "a thread", weft_load_acquire(&s->what),
	        (void *)weft_load_relaxed(&s->c),
	        (double)(now - weft_load_relaxed(&s->since_ns)) / 1e9,
	        weft_load_relaxed(&s->sent), weft_load_relaxed(&s->received));
}

static void print_calls(FILE *to)
{
	int64_t now = now_ns();
	unsigned n = 0;

	for (unsigned i = 0; i < SLOTS; i++)
		if (is_stuck(i) && n++ < SHOWN)
			print_stuck(to, &slots[i]);
	for (unsigned i = 0; i < SLOTS; i++)
		if (is_under_way(&slots[i]) && n++ < SHOWN)
			print_call(to, &slots[i], now);
	if (n > SHOWN)
		fprintf(to, "  ... and %u more\n", n - SHOWN);
	if (n == 0)
		fputs("  no call on a channel is under way\n", to);
	fflush(to);
}

static void count(struct tally *t)
{
	for (unsigned i = 0; i < SLOTS; i++) {
		const char *what;

		if (weft_load_relaxed(&slots[i].c) != t->c)
			continue;
		t->sent += weft_load_relaxed(&slots[i].sent);
		t->received += weft_load_relaxed(&slots[i].received);
		if (!is_under_way(&slots[i]))
			continue;
		what = weft_load_acquire(&slots[i].what);
		t->senders += strncmp(what, "send", 4) == 0;
		t->receivers += strncmp(what, "recv", 4) == 0;
		t->others += strcmp(what, "select") == 0;
	}
}

/* What a waiter could have done with the channel as it is. */
static void print_likely(FILE *to, const struct tally *t, size_t len,
                         bool is_closed)
{
	size_t cap = weft_chan_cap(t->c);

	if (is_closed && t->senders + t->receivers)
		fprintf(to,
		        UNDERWAY_LIKELY
		        "a lost wake-up: %u calls wait on a closed channel\n",
		        t->senders + t->receivers);
	else if (t->receivers && len > 0)
		fprintf(to,
		        UNDERWAY_LIKELY
		        "a lost wake-up: %u receives wait with %zu elements "
		        "inside\n",
		        t->receivers, len);
	else if (t->senders && len < cap)
		fprintf(to,
		        UNDERWAY_LIKELY
		        "a lost wake-up: %u sends wait with %zu elements "
		        "inside and room for %zu\n",
		        t->senders, len, cap);
	else if (t->senders && t->receivers)
		fprintf(to,
		        UNDERWAY_LIKELY
		        "a lost wake-up: %u sends and %u receives wait for "
		        "each other\n",
		        t->senders, t->receivers);
	else if (t->receivers && t->sent > t->received + len)
		fprintf(to,
		        UNDERWAY_LIKELY
		        "an element was lost, or handed to a receive that was "
		        "not woken: %" PRIu64 " sent, %" PRIu64
		        " received, %zu inside\n",
		        t->sent, t->received, len);
	fflush(to);
}

static void print_channel(FILE *to, struct weft_chan *c)
{
	bool is_closed = weft_load_relaxed(&closed[place_of(c)]) == c;
	struct tally t = { .c = c };
	size_t len;

	count(&t);
	fprintf(to,
	        "  channel %p, %s, capacity %zu: %u sends, %u receives and %u "
	        "selects wait; %" PRIu64 " sent, %" PRIu64 " received\n",
	        (void *)c, is_closed ? "closed" : "open", weft_chan_cap(c),
	        t.senders, t.receivers, t.others, t.sent, t.received);
	if (has_stuck_call(c)) {
		fputs("    its len is not asked for: that may not return "
		      "either\n",
		      to);
		return;
	}
	fflush(to);
	len = weft_chan_len(c);
	fprintf(to, "    len %zu\n", len);
	print_likely(to, &t, len, is_closed);
}

/* Whether a slot before this one has a call under way on the same channel. */
static bool was_shown(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (is_under_way(&slots[i]) &&
		    weft_load_relaxed(&slots[i].c) ==
		            weft_load_relaxed(&slots[n].c))
			return true;
	return false;
}

void underway_print(FILE *to)
{
	unsigned shown = 0;

	fputs("the calls, when time was up:\n", to);
	look_for_plain_calls();
	print_calls(to);
	for (unsigned i = 0; i < SLOTS && shown < SHOWN; i++)
		if (is_under_way(&slots[i]) && weft_load_relaxed(&slots[i].c) &&
		    !was_shown(i)) {
			print_channel(to, weft_load_relaxed(&slots[i].c));
			shown++;
		}
}
