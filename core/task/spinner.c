#include "task/spinner.h"

#include <weft/atomic.h>
#include <weft/task.h>

#include "base/clock.h"
#include "task/internal.h"

#define PAUSES 400u
#define GAP_MAX 64u
#define YIELDS_MAX 256u
#define SHORT_PARK_NS (100 * WEFT_US)

/* Peers that each have a buffer's worth to move take some hundred microseconds
 * for a round; a time slice of another process takes milliseconds. */
#define SLOW_YIELD_NS (1 * WEFT_MS)
/* Parks after a slow yield before yielding is tried again. */
#define SLOW_YIELD_PARKS 128u

/* With nobody else there a yield returns in less. */
#define LONE_YIELD_NS (3 * WEFT_US / 2)
/* Lone yields in a row until a task takes it that it has its CPU to itself. */
#define LONE_YIELDS 16u
/* From this gap on, a wait is for many messages' worth of work of a peer. */
#define DEEP_GAP 32u
/* Rounds of yields of such a wait, on one CPU, too: the first task that it
 * yields to may be one that waits as it does. */
#define DEEP_YIELDS 4u
/* Further ones that stand in for the pauses where yields find company. */
#define COMPANY_YIELDS 8u
/* Rounds of a task that was woken and finds nothing, before it parks again. */
#define WOKEN_YIELDS 4u

/* How a wait at a small buffer ended: during its pauses, with a yield before
 * them or with the first one after them, or in another way. */
enum wait_end { END_OTHER, END_PAUSES, END_FIRST, END_YIELD };

/* After so many waits that ended with the first yield, all pauses having been
 * in vain, and none between them that ended in its pauses, a task takes it that
 * its peer is on its own CPU, and yields so often before it pauses. */
#define FUTILE 4u
#define FIRST_YIELDS 2u
/* Waits that end with those before the pauses are tried again. */
#define FIRST_WAITS 16u
/* So many there are then, and in all waits of such a task: a peer that runs on
 * another CPU by now is quicker. */
#define FEW_PAUSES 32u

/* Yields that a wait at a small buffer begins with, by how those before it
 * ended. */
static uint32_t spinner_first(struct weft_task *me)
{
	if (me->wait_end == END_PAUSES)
		me->futile = 0;
	else if (me->wait_end == END_YIELD && me->futile < FUTILE)
		me->futile++;
	else if (me->wait_end == END_FIRST &&
	         ++me->futile >= FUTILE + FIRST_WAITS)
		me->futile = FUTILE - 1;
	me->wait_end = END_OTHER;
	return me->futile < FUTILE ? 0 : FIRST_YIELDS;
}

void weft_spinner_init(struct spinner *s, enum weft_wait policy, uint32_t gap,
                       bool shared, int64_t deadline_ns)
{
	struct weft_task *me = weft_self();

	s->policy = policy;
	s->learns = false;
	s->first = 0;
	s->alone = weft_cpus() < 2;
	s->gap = gap < 1 ? 1 : gap > GAP_MAX ? GAP_MAX : gap;
	s->pauses = s->alone ? 0 : PAUSES;
	s->yields = s->alone ? !me->yield_ban : me->yields;
	s->deadline_ns = deadline_ns;
	if (gap < DEEP_GAP) {
		if (policy != WEFT_WAIT_ADAPTIVE || s->alone)
			return;
		if (me->futile >= FUTILE)
			s->pauses = FEW_PAUSES;
		s->learns = !me->yield_ban;
		if (s->learns)
			s->first = spinner_first(me);
		return;
	}
	if (me->yield_ban) {
		/* The pauses stay: the peer may be running all the same, and
		 * then it answers sooner than a park takes. */
		s->yields = 0;
		return;
	}
	s->yields = DEEP_YIELDS;
	if (!s->alone && me->company) {
		s->pauses = shared ? s->gap : 0;
		s->yields += COMPANY_YIELDS;
	}
}

void weft_spinner_init_woken(struct spinner *s, enum weft_wait policy,
                             uint32_t gap, int64_t deadline_ns)
{
	*s = (struct spinner){ .policy = WEFT_WAIT_ADAPTIVE,
		               .deadline_ns = deadline_ns };
	if (policy != WEFT_WAIT_PARK && gap >= DEEP_GAP &&
	    !weft_self()->yield_ban)
		s->yields = WOKEN_YIELDS;
}

static void spinner_pause(struct spinner *s)
{
	for (uint32_t i = 0; i < s->gap; i++)
		weft_relax();
	s->pauses -= s->gap < s->pauses ? s->gap : s->pauses;
	if (s->gap < GAP_MAX)
		s->gap *= 2;
}

int64_t weft_yield_timed(struct weft_task *t)
{
	int64_t ns = -clock_mono();

	weft_yield();
	ns += clock_mono();
	if (t && ns >= SLOW_YIELD_NS) {
		t->yields = 0;
		t->yield_ban = SLOW_YIELD_PARKS;
	}
	return ns;
}

/* Yield, and learn whether somebody else ran meanwhile. */
static void spinner_yield(struct spinner *s)
{
	struct weft_task *t = weft_self();
	int64_t ns = weft_yield_timed(t);

	if (ns >= LONE_YIELD_NS)
		t->company = LONE_YIELDS;
	else if (t->company)
		t->company--;
	if (ns >= SLOW_YIELD_NS)
		s->first = s->yields = 0;
}

/* What comes of the turn that is about to begin is how the wait ended, so far.
 */
static void spinner_ends(const struct spinner *s, enum wait_end end)
{
	if (s->learns)
		weft_self()->wait_end = (uint8_t)end;
}

/* The first yield after the pauses; of further ones it cannot be said for what
 * they waited. */
static enum wait_end end_of_yield(void)
{
	return weft_self()->wait_end == END_PAUSES ? END_YIELD : END_OTHER;
}

bool weft_spinner_turn(struct spinner *s)
{
	if (s->policy == WEFT_WAIT_PARK || s->deadline_ns <= WEFT_NOW)
		return false;
	if (!s->first && s->pauses) {
		spinner_ends(s, END_PAUSES);
		spinner_pause(s);
		return true;
	}
	if (!s->first && s->yields == 0 && s->policy == WEFT_WAIT_ADAPTIVE)
		return false;
	if (s->deadline_ns != WEFT_FOREVER && weft_now() >= s->deadline_ns)
		return false;
	spinner_ends(s, s->first ? END_FIRST : end_of_yield());
	if (s->first)
		s->first--;
	else if (s->yields)
		s->yields--;
	spinner_yield(s);
	return true;
}

void weft_spinner_slept(int64_t ns)
{
	struct weft_task *t = weft_self();

	t->wait_end = END_OTHER;
	if (t->yield_ban)
		t->yield_ban--;
	else if (ns >= SHORT_PARK_NS)
		t->yields /= 2;
	else
		t->yields = t->yields * 2 + 8 < YIELDS_MAX ? t->yields * 2 + 8
		                                           : YIELDS_MAX;
}

int weft_spinner_park(const char *what, const void *on, _Atomic uint64_t *parks,
                      int64_t deadline_ns)
{
	int64_t before;
	int err;

	weft_fetch_add_relaxed(parks, 1u);
	before = weft_wait_begin(what, on);
	err = weft_park(deadline_ns);
	weft_wait_done();
	weft_spinner_slept(clock_mono() - before);
	return err;
}
