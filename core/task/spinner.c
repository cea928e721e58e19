#include "task/spinner.h"

#include <weft/atomic.h>
#include <weft/task.h>

#include "task/internal.h"

#define PAUSES 100u
#define GAP_MAX 64u
#define YIELDS_MAX 256u
#define SHORT_PARK_NS (100 * WEFT_US)

void weft_spinner_init(struct spinner *s, enum weft_wait policy, uint32_t gap,
                       int64_t deadline_ns)
{
	s->policy = policy;
	s->alone = weft_cpus() < 2;
	s->gap = gap < 1 ? 1 : gap > GAP_MAX ? GAP_MAX : gap;
	s->pauses = s->alone ? 0 : PAUSES;
	s->yields = s->alone ? 1 : weft_self()->yields;
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

bool weft_spinner_turn(struct spinner *s)
{
	if (s->policy == WEFT_WAIT_PARK || s->deadline_ns == WEFT_NOW)
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
	weft_yield();
	return true;
}

void weft_spinner_parked(int64_t ns)
{
	struct weft_task *t = weft_self();

	if (ns >= SHORT_PARK_NS)
		t->yields /= 2;
	else
		t->yields = t->yields * 2 + 8 < YIELDS_MAX ? t->yields * 2 + 8
		                                           : YIELDS_MAX;
}
