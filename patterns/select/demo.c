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

/* --- a task, and the channel over which the mux hears of it --- */

struct speaker {
	FILE *out;
	int number;
	struct weft_chan *chan;
	struct weft_task *task;
};

static int begin(struct speaker *s, struct weft_mux *m, size_t cap,
                 const char *name, weft_task_fn fn)
{
	const struct weft_task_opts opts = { name, 0 };
	int err = weft_chan_new(&s->chan, weft_chan_impl_find("handoff"), cap,
	                        sizeof(int), NULL);

	if (!err)
		err = weft_mux_add(m, s->chan, WEFT_CASE_RECV, NULL);
	return err ? err : weft_spawn(&s->task, &opts, fn, s);
}

/* Whatever became of it. Returns the first error. */
static int end(struct speaker *s, int err)
{
	int status = 0;

	if (s->chan)
		weft_chan_close(s->chan);
	if (s->task)
		weft_join(s->task, &status);
	weft_chan_unref(s->chan);
	return err ? err : status;
}

/* --- 1: a timeout --- */

static int answer(void *arg)
{
	const struct speaker *me = arg;
	int n = 42;

	weft_sleep_until(in_ms(ANSWER_S * 1000));
	return weft_chan_send(me->chan, &n, WEFT_FOREVER);
}

static int wait_twice(FILE *out, struct weft_mux *m)
{
	int64_t begun_at = weft_now();
	int n, err;

	fprintf(out, "Waiting %d s for an answer that takes %d s...\n",
	        TIMEOUT_S, ANSWER_S);
	err = weft_mux_recv(m, &n, NULL, in_ms(TIMEOUT_S * 1000));
	if (err != -ETIMEDOUT)
		return err ? err : -EPROTO;
	fprintf(out, "Timed out after %d s\n",
	        (int)((weft_now() - begun_at) / WEFT_SEC));
	err = weft_mux_recv(m, &n, NULL, WEFT_FOREVER);
	if (!err)
		fprintf(out, "The answer came after %d s: %d\n",
		        (int)((weft_now() - begun_at) / WEFT_SEC), n);
	return err;
}

static int show_timeout(FILE *out, struct weft_mux *m)
{
	struct speaker s = { .out = out };
	int err;

	fprintf(out, "\n1. Select with a timeout:\n");
	/* With space for an answer that nobody waits for any more. */
	err = begin(&s, m, 1, "answer", answer);
	if (!err)
		err = wait_twice(out, m);
	return end(&s, err);
}

/* --- 2: two producers --- */

static int produce(void *arg)
{
	const struct speaker *me = arg;
	int err = 0;

	for (int i = 1; i <= ITEMS && !err; i++) {
		weft_sleep_until(in_ms(100 + (int64_t)(weft_rand() % 200)));
		/* Before it is sent: the receiver's line comes after it. */
		fprintf(me->out, "Producer %d sends: %d\n", me->number, i);
		err = weft_chan_send(me->chan, &i, WEFT_FOREVER);
	}
	weft_chan_close(me->chan);
	return err == -EPIPE ? 0 : err;
}

/* Receive from any producer that has sent something, until both are done. Port
 * 0 was that of the answer, so a producer's has its number. */
static int receive(FILE *out, struct weft_mux *m)
{
	size_t which;
	int item, err;

	while (!(err = weft_mux_recv(m, &item, &which, WEFT_FOREVER)))
		fprintf(out, "Received from producer %zu: %d\n", which, item);
	return err == -EPIPE ? 0 : err;
}

static int show_two(FILE *out, struct weft_mux *m)
{
	struct speaker s[PRODUCERS] = { 0 };
	int err = 0;

	fprintf(out, "\n2. Select over two producers:\n");
	for (int i = 0; i < PRODUCERS && !err; i++) {
		s[i].out = out;
		s[i].number = i + 1;
		err = begin(&s[i], m, 0, "producer", produce);
	}
	if (!err)
		err = receive(out, m);
	for (int i = 0; i < PRODUCERS; i++)
		err = end(&s[i], err);
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
