/* The demo: a select that does not wait for ever, and one over two producers.
 */
#include <errno.h>
#include <stdio.h>

#include "kernel/pattern.h"
#include "mux.h"

#define TIMEOUT_S 1 /* how long the answer is waited for */
#define ANSWER_S 2  /* how long it takes */
#define PRODUCERS 2
#define ITEMS 5 /* of each producer */

static int64_t in_ms(int64_t ms)
{
	return weft_deadline_in(ms * WEFT_MS);
}

/* --- 1: a timeout --- */

/* There is space for the answer: whoever gives it does not have to wait for
 * somebody who has given up. */
static int answer(void *arg)
{
	struct weft_chan *answers = arg;
	int n = 42;

	weft_sleep_until(in_ms(ANSWER_S * 1000));
	return weft_chan_send(answers, &n, WEFT_FOREVER);
}

static int wait_twice(FILE *out, struct weft_mux *m)
{
	int64_t begin = weft_now();
	int n, err;

	fprintf(out, "Waiting %d s for an answer that takes %d s...\n",
	        TIMEOUT_S, ANSWER_S);
	err = weft_mux_recv(m, &n, NULL, in_ms(TIMEOUT_S * 1000));
	if (err != -ETIMEDOUT)
		return err ? err : -EPROTO;
	fprintf(out, "Timed out after %d s\n",
	        (int)((weft_now() - begin) / WEFT_SEC));
	err = weft_mux_recv(m, &n, NULL, WEFT_FOREVER);
	if (!err)
		fprintf(out, "The answer came after %d s: %d\n",
		        (int)((weft_now() - begin) / WEFT_SEC), n);
	return err;
}

static int show_timeout(FILE *out, struct weft_mux *m)
{
	const struct weft_chan_impl *handoff = weft_chan_impl_find("handoff");
	struct weft_chan *answers;
	struct weft_task *task;
	int err, status;

	fprintf(out, "\n1. Select with a timeout:\n");
	err = weft_chan_new(&answers, handoff, 1, sizeof(int), NULL);
	if (err)
		return err;
	err = weft_mux_add(m, answers, WEFT_CASE_RECV, NULL);
	if (!err)
		err = weft_spawn(&task, &(struct weft_task_opts){ "answer", 0 },
		                 answer, answers);
	if (!err) {
		err = wait_twice(out, m);
		weft_join(task, &status);
		err = err ? err : status;
	}
	weft_chan_close(answers);
	weft_chan_unref(answers);
	return err;
}

/* --- 2: two producers --- */

struct producer {
	FILE *out;
	int number;
	struct weft_chan *items;
	struct weft_task *task;
	size_t port;
};

static int produce(void *arg)
{
	struct producer *me = arg;
	int err = 0;

	for (int i = 1; i <= ITEMS && !err; i++) {
		weft_sleep_until(in_ms(100 + (int64_t)(weft_rand() % 200)));
		/* Before it is sent: the receiver's line comes after it. */
		fprintf(me->out, "Producer %d sends: %d\n", me->number, i);
		err = weft_chan_send(me->items, &i, WEFT_FOREVER);
	}
	weft_chan_close(me->items);
	return err == -EPIPE ? 0 : err;
}

static int begin(struct producer *p, FILE *out, int number, struct weft_mux *m)
{
	const struct weft_chan_impl *handoff = weft_chan_impl_find("handoff");
	int err;

	p->out = out;
	p->number = number;
	err = weft_chan_new(&p->items, handoff, 0, sizeof(int), NULL);
	if (!err)
		err = weft_mux_add(m, p->items, WEFT_CASE_RECV, &p->port);
	if (!err)
		err = weft_spawn(&p->task,
		                 &(struct weft_task_opts){ "producer", 0 },
		                 produce, p);
	return err;
}

static int end(struct producer *p)
{
	int status = 0;

	if (p->items)
		weft_chan_close(p->items);
	if (p->task)
		weft_join(p->task, &status);
	weft_chan_unref(p->items);
	return status;
}

/* Receive from whoever has something, until both are done. */
static int receive(FILE *out, struct weft_mux *m, const struct producer *p)
{
	size_t which;
	int item, err;

	while (!(err = weft_mux_recv(m, &item, &which, WEFT_FOREVER)))
		fprintf(out, "Received from producer %d: %d\n",
		        which == p[0].port ? p[0].number : p[1].number, item);
	return err == -EPIPE ? 0 : err;
}

static int show_two(FILE *out, struct weft_mux *m)
{
	struct producer p[PRODUCERS] = { 0 };
	int err = 0, status;

	fprintf(out, "\n2. Select over two producers:\n");
	for (int i = 0; i < PRODUCERS && !err; i++)
		err = begin(&p[i], out, i + 1, m);
	if (!err)
		err = receive(out, m, p);
	for (int i = 0; i < PRODUCERS; i++) {
		status = end(&p[i]);
		err = err ? err : status;
	}
	return err;
}

int select_demo(FILE *out)
{
	const struct weft_mux_opts opts = { .elem_size = sizeof(int) };
	struct weft_mux *m;
	int err;

	err = weft_mux_new(&m, &opts);
	if (err)
		return err;
	err = show_timeout(out, m);
	if (!err)
		err = show_two(out, m);
	if (!err)
		fprintf(out, "\nSelect example completed!\n");
	weft_mux_free(m);
	return err;
}
