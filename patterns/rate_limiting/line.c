/* line: callers that wait for a time, and why they waited in vain. */
#include "internal.h"

static int64_t common_divisor(int64_t a, int64_t b)
{
	while (b) {
		int64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

int weft_limiter_limit(struct limiter_limit *out, struct weft_rate rate,
                       int64_t burst)
{
	int64_t by;

	if (rate.tokens < 1 || rate.per_ns < 1 || burst < 1 ||
	    burst > WEFT_BURST_MAX)
		return -EINVAL;
	by = common_divisor(rate.tokens, rate.per_ns);
	out->rate.tokens = rate.tokens / by;
	out->rate.per_ns = rate.per_ns / by;
	out->burst = burst;
	return 0;
}

void weft_limiter_line_init(struct limiter_line *line,
                            const struct weft_ending_ops *ops, void *component,
                            enum weft_wait wait)
{
	weft_ending_init(&line->end, ops, component);
	weft_waiters_init(&line->waiters);
	/* Of a wait that is none it stays as it is. */
	weft_waiters_set_wait(&line->waiters, wait);
	weft_lock_init(&line->lock);
}

/* One that waits; on its stack. */
struct place {
	struct limiter_line *line;
	int64_t at_ns;
};

static int look(void *arg)
{
	const struct place *p = arg;
	int why = weft_ending_why(&p->line->end);

	if (why)
		return why;
	return weft_now() >= p->at_ns ? 0 : -EAGAIN;
}

int weft_limiter_line_until(struct limiter_line *line, struct weft_ctx *ctx,
                            int64_t at_ns)
{
	struct place p = { line, at_ns };

	return weft_waiters_wait(&line->waiters, "limiter", look, &p, ctx,
	                         at_ns);
}

int64_t weft_limiter_line_begin(struct limiter_line *line)
{
	weft_lock_acquire(&line->lock);
	line->waits.waiting++;
	weft_lock_release(&line->lock);
	return weft_now();
}

int weft_limiter_line_end(struct limiter_line *line, int64_t since, int err)
{
	struct limiter_waits *waits = &line->waits;
	int64_t ns = weft_now() - since;

	weft_lock_acquire(&line->lock);
	waits->waiting--;
	waits->waited += !err;
	waits->gave_up += err != 0;
	waits->wait_ns += ns;
	if (ns > waits->longest_ns)
		waits->longest_ns = ns;
	weft_lock_release(&line->lock);
	return err;
}

void weft_limiter_line_release(struct limiter_line *line)
{
	weft_waiters_wake(&line->waiters, SIZE_MAX);
}

struct limiter_waits weft_limiter_line_waits(struct limiter_line *line)
{
	struct limiter_waits waits;

	weft_lock_acquire(&line->lock);
	waits = line->waits;
	weft_lock_release(&line->lock);
	return waits;
}
