#include "bench/cost.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <time.h>

#include "base/cacheline.h"
#include "kernel/message.h"
#include "kernel/tally.h"

void cost_init(struct cost *cost)
{
	*cost = (struct cost){ -1, -1, -1 };
}

/* --- what is done with a message beside sending it --- */

#define MESSAGES (UINT64_C(1) << 15)
#define BLOCK 64 /* made, then looked at: what is near may stay near */
#define TRIES 5

__attribute__((noinline)) static void make(unsigned char *m, size_t bytes,
                                           uint64_t from)
{
	for (uint64_t i = 0; i < BLOCK; i++)
		message_write(m + i * bytes, bytes,
		              message_value_of(0, from + i));
}

__attribute__((noinline)) static void look_at(const unsigned char *m,
                                              size_t bytes, uint64_t from,
                                              struct tally *tally)
{
	for (uint64_t i = 0; i < BLOCK; i++, m += bytes)
		if (message_is_of(m, bytes, message_value_of(0, from + i)))
			tally_count(tally, 0, 0, message_seq(message_value(m)));
}

/* The time of one pass over all messages; -1 without memory for it. */
static double pass(unsigned char *m, size_t bytes)
{
	struct tally *tally;
	int64_t t0, ns;

	if (tally_new(&tally, 1, 1, MESSAGES))
		return -1;
	t0 = weft_now();
	for (uint64_t i = 0; i < MESSAGES; i += BLOCK) {
		make(m, bytes, i);
		look_at(m, bytes, i, tally);
	}
	ns = weft_now() - t0;
	tally_free(tally);
	return (double)ns / (double)MESSAGES;
}

/* The fastest: whatever else the machine did does not belong to it. */
static double harness_ns(size_t bytes)
{
	unsigned char *m = cacheline_new(BLOCK, bytes);
	double best = -1, ns;

	for (int i = 0; m && i < TRIES; i++) {
		ns = pass(m, bytes);
		if (ns >= 0 && (best < 0 || ns < best))
			best = ns;
	}
	free(m);
	return best;
}

/* --- memory --- */

#define CHANNELS 64
#define BYTES_MAX (size_t)(1 << 24) /* of elements, in all of them */

/* What malloc has given out, in whatever way. Zero where it is replaced by what
 * does not tell, as the sanitizers do. */
static double heap_bytes(void)
{
	struct mallinfo2 info = mallinfo2();

	return (double)info.uordblks + (double)info.hblkhd;
}

static unsigned how_many(const struct cell_shape *shape)
{
	size_t one = (shape->cap + 1) * shape->elem_size;

	if (one * CHANNELS <= BYTES_MAX)
		return CHANNELS;
	return one < BYTES_MAX ? (unsigned)(BYTES_MAX / one) : 1;
}

static double bytes_per_channel(const struct plan *plan,
                                const struct cell_shape *shape)
{
	unsigned n = 0, wanted = how_many(shape);
	struct weft_chan *c[CHANNELS];
	double before = heap_bytes(), after;

	while (n < wanted && weft_chan_new(&c[n], plan->chan, shape->cap,
	                                   shape->elem_size, NULL) == 0)
		n++;
	after = heap_bytes();
	for (unsigned i = 0; i < n; i++)
		weft_chan_unref(c[i]);
	return n == wanted && after > before ? (after - before) / n : -1;
}

/* --- waiting --- */

/* A wait may spin at first; that is over when its cost is measured. */
#define SETTLE (2 * WEFT_MS)
#define IDLE (20 * WEFT_MS)
#define TOO_LATE (20 * WEFT_SEC)

struct idle {
	struct weft_chan *chan;
	unsigned char *elem;
	int64_t deadline;
	double cpu; /* in the end */
};

static int wait_for_nothing(void *arg)
{
	struct idle *idle = arg;

	return weft_chan_recv(idle->chan, idle->elem, idle->deadline);
}

static double cpu_ns(void)
{
	struct timespec ts = { 0 };

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static int watch_idle(void *arg)
{
	struct idle *idle = arg;
	struct weft_task *waiter;
	double before, used;
	int64_t begin;
	int err;

	idle->deadline = weft_deadline_in(SETTLE + IDLE + 2 * WEFT_MS);
	err = weft_spawn(&waiter, NULL, wait_for_nothing, idle);
	if (err)
		return err;
	weft_sleep_until(weft_deadline_in(SETTLE));
	before = cpu_ns();
	begin = weft_now();
	weft_sleep_until(begin + IDLE);
	used = cpu_ns() - before;
	idle->cpu = used / (double)(weft_now() - begin);
	if (weft_join_until(waiter, NULL, weft_deadline_in(TOO_LATE)))
		return -ETIMEDOUT;
	return 0;
}

static int measure_idle(const struct plan *plan, const struct cell_shape *shape,
                        double *cpu)
{
	struct weft_chan_opts opts = {
		.wait = (enum weft_wait)param_or_0(&plan->params, "wait"),
	};
	struct idle idle = { .cpu = -1 };
	int err = -ENOMEM;

	if (!(plan->chan->can & WEFT_CAN_TIMEOUT) ||
	    plan->chan->can & WEFT_NO_DATA ||
	    weft_chan_new(&idle.chan, plan->chan, shape->cap, shape->elem_size,
	                  &opts))
		return 0;
	idle.elem = cacheline_new(1, shape->elem_size);
	if (idle.elem)
		err = weft_run(WEFT_THREADS, NULL, watch_idle, &idle);
	if (err == -ETIMEDOUT)
		return err;
	free(idle.elem);
	weft_chan_unref(idle.chan);
	if (!err)
		*cpu = idle.cpu;
	return 0;
}

int cost_measure(const struct plan *plan, struct cost *cost)
{
	struct cell_shape shape = params_shape(&plan->params);
	size_t payload = (size_t)param_or_0(&plan->params, "payload");

	cost->harness_ns = harness_ns(payload ? payload : MESSAGE_MIN);
	cost->bytes_per_channel = bytes_per_channel(plan, &shape);
	return measure_idle(plan, &shape, &cost->idle_cpu);
}
