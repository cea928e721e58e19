/* The demo: two players and a ball. One return comes too late, and is not taken
 * for that of the next ping. */
#include <errno.h>
#include <stdio.h>

#include "kernel/pattern.h"
#include "link.h"

#define ROUNDS 6
#define PATIENCE_MS 250 /* how long a ping waits for its pong */
#define SLOW_ROUND 3
#define SLOW_MS 400

struct table {
	FILE *out;
	struct weft_link *link;
};

static int64_t in_ms(int64_t ms)
{
	return weft_deadline_in(ms * WEFT_MS);
}

/* What takes time in the real thing: from 50 ms to below 100 ms. */
static void hit(void)
{
	weft_sleep_until(in_ms(50 + (int64_t)(weft_rand() % 50)));
}

/* Send the ball back, until there are no more pings. */
static int pong_main(void *arg)
{
	const struct table *t = arg;
	struct weft_link_call call;
	int ball, err;

	while (!(err = weft_link_recv(t->link, &call, &ball, WEFT_FOREVER))) {
		if (ball == SLOW_ROUND)
			weft_sleep_until(in_ms(SLOW_MS));
		else
			hit();
		/* Before it is sent: the next ping's line comes after it. */
		if (call.deadline_ns > weft_now())
			fprintf(t->out, "Pong %d\n", ball);
		err = weft_link_reply(t->link, &call, 0, &ball);
		if (err == -ETIMEDOUT)
			fprintf(t->out, "Pong %d comes too late\n", ball);
		else if (err)
			break;
	}
	return err == -EPIPE ? 0 : err;
}

static int play(const struct table *t)
{
	int back, err = 0;

	for (int ball = 1; ball <= ROUNDS && !err; ball++) {
		hit();
		fprintf(t->out, "Ping %d\n", ball);
		err = weft_link_call(t->link, &ball, &back, in_ms(PATIENCE_MS));
		if (err == -ETIMEDOUT) {
			fprintf(t->out, "Ping %d waited for %d ms: missed\n",
			        ball, PATIENCE_MS);
			err = 0;
		} else if (!err && back != ball) {
			err = -EPROTO;
		}
	}
	weft_link_close(t->link);
	return err;
}

int ping_pong_demo(FILE *out)
{
	const struct weft_link_opts opts = { .request_size = sizeof(int),
		                             .reply_size = sizeof(int) };
	struct table t = { .out = out };
	struct weft_link_stats stats;
	struct weft_task *pong;
	int err, status;

	err = weft_link_new(&t.link, &opts);
	if (err)
		return err;
	err = weft_spawn(&pong, &(struct weft_task_opts){ "pong", 0 },
	                 pong_main, &t);
	if (err)
		goto free_link;
	err = play(&t);
	weft_join(pong, &status);
	err = err ? err : status;
	if (!err)
		err = weft_link_stats(t.link, &stats);
	if (!err)
		fprintf(out, "Ping-Pong completed: %d of %d returned!\n",
		        (int)stats.answered, ROUNDS);

free_link:
	weft_link_free(t.link);
	return err;
}
