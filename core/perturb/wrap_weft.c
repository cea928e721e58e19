/* As wrap.c, of what is weft's: apart, for programs without it. */
#include <stdint.h>

#include "perturb/wrap.h"

struct weft_task;

#pragma GCC diagnostic ignored "-Wmissing-prototypes"
/* NOLINTBEGIN(bugprone-reserved-identifier) */

BLOCKING(int, weft_park, PERTURB_WAIT, 0, (int64_t until), (until))

void __real_weft_unpark(struct weft_task *task);
void __wrap_weft_unpark(struct weft_task *task)
{
	weft_perturb_point(PERTURB_WAKE, task, HERE);
	__real_weft_unpark(task);
}

/* NOLINTEND(bugprone-reserved-identifier) */
