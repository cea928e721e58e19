/* What the tests of the pipeline share: stages, sources and sinks. */
#ifndef WEFT_PATTERNS_PIPELINE_PIPELINE_TESTING_H
#define WEFT_PATTERNS_PIPELINE_PIPELINE_TESTING_H

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <weft/atomic.h>

#include "pipeline.h"
#include "testing/testing.h"

/* --- stages --- */

static inline int pass(const void *in, void *out, void *arg)
{
	(void)arg;
	memcpy(out, in, sizeof(int));
	return WEFT_EMIT;
}

static inline int add_one(const void *in, void *out, void *arg)
{
	(void)arg;
	*(int *)out = *(const int *)in + 1;
	return WEFT_EMIT;
}

static inline int only_even(const void *in, void *out, void *arg)
{
	pass(in, out, arg);
	return *(const int *)in % 2 ? WEFT_SKIP : WEFT_EMIT;
}

static inline int nothing(const void *in, void *out, void *arg)
{
	(void)in;
	(void)out;
	(void)arg;
	return WEFT_SKIP;
}

/* What goes wrong, at item 5. */
enum fault {
	RETURN_ERROR,
	RETURN_NONSENSE,
	/* What means something else to senders and receivers. */
	RETURN_AGAIN,
	RETURN_TIMEOUT,
	RETURN_PIPE,
	EXIT_TASK,
	EXIT_AGAIN,
	EXIT_WELL,
	EXIT_THREAD,
};

static inline int fail_at_five(const void *in, void *out, void *arg)
{
	if (*(const int *)in != 5)
		return pass(in, out, arg);
	switch (*(enum fault *)arg) {
	case RETURN_ERROR:
		return -EDOM;
	case RETURN_NONSENSE:
		return 7;
	case RETURN_AGAIN:
		return -EAGAIN;
	case RETURN_TIMEOUT:
		return -ETIMEDOUT;
	case RETURN_PIPE:
		return -EPIPE;
	case EXIT_TASK:
		weft_task_exit(-ERANGE);
	case EXIT_AGAIN:
		weft_task_exit(-EAGAIN);
	case EXIT_WELL:
		weft_task_exit(0);
	case EXIT_THREAD:
		pthread_exit(NULL);
	}
	return 0;
}

/* --- making one --- */

static inline struct weft_pipeline *
new_pipeline(const struct weft_stage *stages, size_t n, size_t cap,
             const struct weft_chan_impl *impl)
{
	struct weft_pipeline_opts opts = { .impl = impl,
		                           .cap = cap,
		                           .elem_size = sizeof(int) };
	struct weft_pipeline *p;

	CHECK_EQ(weft_pipeline_new(&p, stages, n, &opts), 0);
	return p;
}

/* n stages of one worker each, all alike. */
static inline struct weft_pipeline *chain(weft_stage_fn fn, size_t n,
                                          size_t cap)
{
	struct weft_stage *stages = calloc(n, sizeof(*stages));
	struct weft_pipeline *p;

	CHECK(stages != NULL);
	for (size_t i = 0; i < n; i++)
		stages[i].fn = fn;
	p = new_pipeline(stages, n, cap, NULL);
	free(stages);
	return p;
}

/* Sends 0, 1, 2, ... until it has sent `n`, then closes. */
struct source {
	struct weft_pipeline *p;
	int n;
	int sent;
};

static inline int source_main(void *arg)
{
	struct source *s = arg;
	int err = 0;

	while (s->sent < s->n && !err) {
		err = weft_pipeline_send(s->p, &s->sent, WEFT_FOREVER);
		s->sent += !err;
	}
	weft_pipeline_close(s->p);
	return err;
}

/* Receive until the end: how many, and their sum. */
static inline int drain(struct weft_pipeline *p, int *n, int *sum)
{
	int value, err;

	*n = *sum = 0;
	while (!(err = weft_pipeline_recv(p, &value, WEFT_FOREVER))) {
		++*n;
		*sum += value;
	}
	return err;
}

/* Send until no more goes in although everything has come to rest. */
static inline int send_until_full(struct weft_pipeline *p)
{
	int n = 0;

	for (;;) {
		CHECK_EQ(weft_clock_settle(), 0);
		if (weft_pipeline_send(p, &n, WEFT_NOW) == -ETIMEDOUT)
			return n;
		n++;
	}
}

static inline int sleep_a_second(const void *in, void *out, void *arg)
{
	weft_sleep_until(weft_deadline_in(WEFT_SEC));
	return pass(in, out, arg);
}

static inline int drain_main(void *arg)
{
	int n, sum;

	CHECK_EQ(drain(arg, &n, &sum), -EPIPE);
	return n;
}

/* Sends 0 to 99 in one call. */
static inline int send_many_main(void *arg)
{
	int items[100];
	size_t done;

	for (int i = 0; i < 100; i++)
		items[i] = i;
	CHECK_EQ(weft_pipeline_send_many(arg, items, 100, &done, WEFT_FOREVER),
	         0);
	CHECK_EQ(done, 100u);
	return weft_pipeline_close(arg);
}

#endif
