/* As wrap.c, of what is weft's: apart, for programs without it. */
#include <stddef.h>
#include <stdint.h>

#include "perturb/wrap.h"

struct weft_task;

#pragma GCC diagnostic ignored "-Wmissing-prototypes"
/* NOLINTBEGIN(bugprone-reserved-identifier) */

WAITING(int, weft_park, NULL, (int64_t until), (until), 0)

void __real_weft_unpark(struct weft_task *task);
void __wrap_weft_unpark(struct weft_task *task)
{
	weft_perturb_point(PERTURB_WAKE, task, HERE);
	__real_weft_unpark(task);
}

#define YIELDING(name, parameters, arguments)                                  \
	void __real_##name parameters;                                         \
	void __wrap_##name parameters                                          \
	{                                                                      \
		weft_perturb_point(PERTURB_YIELD, NULL, HERE);                 \
		__real_##name arguments;                                       \
	}

YIELDING(weft_relax, (void), ())
YIELDING(weft_relent, (unsigned turn), (turn))
YIELDING(weft_sleep_until, (int64_t deadline_ns), (deadline_ns))
YIELDING(weft_yield, (void), ())

/* NOLINTEND(bugprone-reserved-identifier) */
