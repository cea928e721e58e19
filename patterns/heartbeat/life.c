/* The monitor in the life-cycle suite. It makes what it reports itself, and has
 * nothing to report here: its hearts have never beaten, or there are none. */
#include "testing/life.h"
#include "monitor.h"
#include "testing/testing.h"

static void *make(const struct life_opts *o)
{
	struct weft_monitor_opts opts =
	        *(const struct weft_monitor_opts *)o->shape;
	struct weft_monitor *m;

	opts.interval_ns = WEFT_MS;
	opts.ctx = o->ctx;
	LIFE_NEW(weft_monitor_new(&m, &opts));
	return m;
}

static int out(void *m, uint64_t *item, int64_t deadline_ns)
{
	struct weft_heart_report r;
	int err = weft_monitor_recv(m, &r, deadline_ns);

	if (!err)
		*item = (uint64_t)(uintptr_t)r.arg;
	return err;
}

LIFE_CLOSE(monitor)
LIFE_STOP_FAIL_FREE(monitor)
LIFE_CALL(stats, (const void *m, void *figures),
          weft_monitor_stats((void *)(uintptr_t)m, figures))

#define MONITOR(title, ...)                                                    \
	{                                                                      \
		.name = title,                                                 \
		.shape = &(const struct weft_monitor_opts){ __VA_ARGS__ },     \
		.make = make, .out = out, .close = monitor_close,              \
		.stop = monitor_stop, .fail = monitor_fail, .stats = stats,    \
		.free = monitor_free, .receivers = 1                           \
	}

const struct life life_monitor[] = {
	MONITOR("monitor", .beat = WEFT_BEAT_STORE),
	MONITOR("monitor of channels", .beat = WEFT_BEAT_CHAN,
	        .detector = WEFT_DETECT_PHI),
	{ .name = NULL },
};
