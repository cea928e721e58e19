#include "kernel/work.h"

#include <weft/atomic.h>
#include <weft/task.h>

#define SAMPLE_TURNS UINT64_C(100000)
#define SAMPLES 10
#define SPIN_TURNS UINT64_C(300000)

/* What is assumed on a clock that stands still: one turn is a multiplication
 * and an addition, four or five cycles. */
#define NOMINAL_TURNS_PER_US UINT64_C(800)

/* 0 until known. Any task that measures it stores it; all find about the
 * same. */
static _Atomic uint64_t turns_per_us;

/* Each turn needs the result of the one before, and the compiler may not know
 * it in advance. */
static void turn(uint64_t turns)
{
	uint64_t x = turns;

	while (turns--) {
		x = x * UINT64_C(6364136223846793005) + 1;
		__asm__("" : "+r"(x));
	}
	__asm__ __volatile__("" : : "r"(x));
}

static int64_t turn_ns(uint64_t turns)
{
	int64_t start = weft_now();

	turn(turns);
	return weft_now() - start;
}

int64_t work_spin_ns(void)
{
	int64_t took = turn_ns(SPIN_TURNS);

	return took > 0 ? took : 1;
}

/* The fastest of several samples: the others were interrupted. */
static int64_t sample_ns(void)
{
	int64_t best = INT64_MAX, took;

	for (int i = 0; i < SAMPLES; i++) {
		took = turn_ns(SAMPLE_TURNS);
		best = took < best ? took : best;
	}
	return best;
}

uint64_t work_speed(void)
{
	uint64_t known = weft_load_relaxed(&turns_per_us);
	int64_t ns;

	if (known)
		return known;
	ns = sample_ns();
	if (ns <= 0)
		return NOMINAL_TURNS_PER_US;
	known = SAMPLE_TURNS * 1000 / (uint64_t)ns;
	known = known ? known : 1;
	weft_store_relaxed(&turns_per_us, known);
	return known;
}

void work_assume(uint64_t turns)
{
	weft_store_relaxed(&turns_per_us, turns);
}

void work_calibrate(void)
{
	work_speed();
}

void work_for(int64_t ns)
{
	if (ns > 0)
		turn((uint64_t)ns * work_speed() / 1000);
}
