#include "task/spinner.h"

#include <weft/atomic.h>
#include <weft/task.h>

#include "base/clock.h"
#include "task/internal.h"

#define PAUSES 400u
#define GAP_MAX 64u
#define YIELDS_MAX 256u
#define SHORT_PARK_NS (100 * WEFT_US)

/* Switching to a task that waits as we do and back takes a few microseconds, a
 * time slice takes milliseconds. */
#define SLOW_YIELD_NS (100 * WEFT_US)
/* Parks after a slow yield before yielding is tried again. */
#define SLOW_YIELD_PARKS 128u

void weft_spinner_init(struct spinner *s, enum weft_wait policy, uint32_t gap,
                       int64_t deadline_ns)
{
	s->policy = policy;
	s->alone = weft_cpus() < 2;
	s->gap = gap < 1 ? 1 : gap > GAP_MAX ? GAP_MAX : gap;
	s->pauses = s->alone ? 0 : PAUSES;
	s->yields = s->alone ? !weft_self()->yield_ban : weft_self()->yields;
	s->deadline_ns = deadline_ns;
}

static void pause_for(struct spinner *s)
{
	for (uint32_t i = 0; i < s->gap; i++)
		weft_relax();
	s->pauses -= s->gap < s->pauses ? s->gap : s->pauses;
	if (s->gap < GAP_MAX)
		s->gap *= 2;
}

/* Yield, and for a while no more when that cost a time slice. */
static void yield_watched(struct spinner *s)
{
	int64_t before = clock_mono();
	struct weft_task *t;

	weft_yield();
	if (clock_mono() - before < SLOW_YIELD_NS)
		return;
	t = weft_self();
	t->yields = 0;
	t->yield_ban = SLOW_YIELD_PARKS;
	s->yields = 0;
}

bool weft_spinner_turn(struct spinner *s)
{
	if (s->policy == WEFT_WAIT_PARK || s->deadline_ns <= WEFT_NOW)
		return false;
	if (s->pauses) {
		pause_for(s);
		return true;
	}
	if (s->yields == 0 && s->policy == WEFT_WAIT_ADAPTIVE)
		return false;
	if (s->deadline_ns != WEFT_FOREVER && weft_now() >= s->deadline_ns)
		return false;
	if (s->yields)
		s->yields--;
	yield_watched(s);
	return true;
}

void weft_spinner_parked(int64_t ns)
{
	struct weft_task *t = weft_self();

	if (t->yield_ban)
		t->yield_ban--;
	else if (ns >= SHORT_PARK_NS)
		t->yields /= 2;
	else
		t->yields = t->yields * 2 + 8 < YIELDS_MAX ? t->yields * 2 + 8
		                                           : YIELDS_MAX;
}
