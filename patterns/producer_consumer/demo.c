/* The demo: two producers, three consumers, a buffer of five. */
#include <errno.h>
#include <stdio.h>

#include "buffer.h"
#include "kernel/pattern.h"

#define PRODUCERS 2
#define CONSUMERS 3
#define PARTIES (PRODUCERS + CONSUMERS)
#define ITEMS 10 /* of each producer */
#define BUFFER 5

struct party {
	FILE *out;
	struct weft_buffer *buffer;
	int number;
	struct weft_task *task;
};

/* What takes time in the real thing: from 100 ms to below max_ms. */
static void pretend_to_work(unsigned max_ms)
{
	int64_t ms = 100 + (int64_t)(weft_rand() % (max_ms - 100));

	weft_sleep_until(weft_deadline_in(ms * WEFT_MS));
}

static int produce(void *arg)
{
	struct party *me = arg;
	int item, err = 0;

	for (int i = 0; i < ITEMS && !err; i++) {
		item = (int)(weft_rand() % 100);
		/* Before it is put: a consumer's line cannot come first. */
		fprintf(me->out, "Producer %d produced: %d\n", me->number,
		        item);
		err = weft_buffer_send(me->buffer, &item, WEFT_FOREVER);
		pretend_to_work(300);
	}
	return err;
}

static int producer_main(void *arg)
{
	struct party *me = arg;
	int status = 0;

	weft_buffer_produce(me->buffer, produce, me, &status);
	return status;
}

static int consumer_main(void *arg)
{
	struct party *me = arg;
	int item, err;

	while (!(err = weft_buffer_recv(me->buffer, &item, WEFT_FOREVER))) {
		fprintf(me->out, "Consumer %d consumed: %d\n", me->number,
		        item);
		pretend_to_work(400);
	}
	return err == -EPIPE ? 0 : err;
}

/* *started is how many there are after an error. */
static int start(struct party *parties, int *started)
{
	char name[32];
	int err = 0;

	for (int i = 0; i < PARTIES && !err; i++) {
		struct party *p = &parties[i];
		bool produces = i < PRODUCERS;

		p->number = 1 + (produces ? i : i - PRODUCERS);
		snprintf(name, sizeof(name), "%s %d",
		         produces ? "producer" : "consumer", p->number);
		err = weft_spawn(&p->task,
		                 &(struct weft_task_opts){ .name = name },
		                 produces ? producer_main : consumer_main, p);
		*started += !err;
	}
	return err;
}

static int join(struct party *parties, int n)
{
	int err = 0, status;

	for (int i = 0; i < n; i++) {
		weft_join(parties[i].task, &status);
		err = err ? err : status;
	}
	return err;
}

int producer_consumer_demo(FILE *out)
{
	const struct weft_buffer_opts opts = {
		.cap = BUFFER,
		.elem_size = sizeof(int),
		.producers = PRODUCERS,
	};
	struct party parties[PARTIES];
	struct weft_buffer *buffer;
	int err, started = 0, status;

	err = weft_buffer_new(&buffer, &opts);
	if (err)
		return err;
	for (int i = 0; i < PARTIES; i++)
		parties[i] = (struct party){ .out = out, .buffer = buffer };
	err = start(parties, &started);
	if (err)
		weft_buffer_stop(buffer);
	status = join(parties, started);
	err = err ? err : status;
	if (!err)
		fprintf(out, "Producer-Consumer example completed!\n");
	weft_buffer_free(buffer);
	return err;
}
