#include "stress/faults/jump.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <weft/atomic.h>
#include <weft/export.h>
#include <weft/time.h>

WEFT_API jump_fn weft_jump;

static _Atomic int64_t jump_ns;
static _Atomic bool has_jumped;

void weft_jump(int64_t ns)
{
	weft_store_relaxed(&has_jumped, false);
	weft_store_relaxed(&jump_ns, ns);
}

/* What this reading is wrong by. */
static int64_t wrong_by(void)
{
	int64_t ns = weft_load_relaxed(&jump_ns);

	if (ns == 0 || weft_xchg_acq_rel(&has_jumped, true))
		return ns;
	return -ns;
}

typedef int gettime_fn(clockid_t clock, struct timespec *out);

static gettime_fn *real_gettime;

/* dlsym() gives no pointer to a function, by the letter of C. */
__attribute__((constructor)) static void look_up(void)
{
	*(void **)&real_gettime = dlsym(RTLD_NEXT, "clock_gettime");
}

static int real_time(clockid_t clock, struct timespec *out)
{
	if (real_gettime)
		return real_gettime(clock, out);
	return (int)syscall(SYS_clock_gettime, clock, out);
}

static void add(struct timespec *ts, int64_t ns)
{
	int64_t sum = ts->tv_nsec + ns % WEFT_SEC;

	ts->tv_sec += ns / WEFT_SEC;
	if (sum < 0) {
		sum += WEFT_SEC;
		ts->tv_sec--;
	}
	ts->tv_sec += sum / WEFT_SEC;
	ts->tv_nsec = sum % WEFT_SEC;
}

/* libc names the parameters as only libc may. */
/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */

WEFT_API int clock_gettime(clockid_t clock, struct timespec *out)
{
	int err = real_time(clock, out);

	if (!err && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		add(out, wrong_by());
	return err;
}

WEFT_API int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
	struct timespec ts;

	(void)zone; /* has no effect on Linux */
	if (clock_gettime(CLOCK_REALTIME, &ts))
		return -1;
	out->tv_sec = ts.tv_sec;
	out->tv_usec = ts.tv_nsec / 1000;
	return 0;
}

WEFT_API time_t time(time_t *out)
{
	struct timespec ts = { 0 };

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	if (out)
		*out = ts.tv_sec;
	return ts.tv_sec;
}

WEFT_API int timespec_get(struct timespec *out, int base)
{
	if (base != TIME_UTC || clock_gettime(CLOCK_REALTIME, out))
		return 0;
	return base;
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
