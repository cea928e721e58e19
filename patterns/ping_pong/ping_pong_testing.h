/* What the tests of the link share: servers and callers. */
#ifndef WEFT_PATTERNS_PING_PONG_PING_PONG_TESTING_H
#define WEFT_PATTERNS_PING_PONG_PING_PONG_TESTING_H

#include <weft/atomic.h>

#include "link.h"
#include "testing/testing.h"

#define CALLS (TESTING_SLOW ? 500 : 5000)

static inline struct weft_link *new_link(const struct weft_chan_impl *impl,
                                         size_t cap)
{
	struct weft_link_opts opts = { .impl = impl,
		                       .cap = cap,
		                       .request_size = sizeof(int),
		                       .reply_size = sizeof(long) };
	struct weft_link *l;

	CHECK_EQ(weft_link_new(&l, &opts), 0);
	return l;
}

static inline struct weft_link_stats stats_of(const struct weft_link *l)
{
	struct weft_link_stats stats;

	CHECK_EQ(weft_link_stats(l, &stats), 0);
	return stats;
}

/* --- servers --- */

#define SERVERS_MAX 3

struct server {
	struct weft_link *l;
	weft_link_fn fn;
	void *arg;
	int n;
	struct weft_task *tasks[SERVERS_MAX];
	_Atomic int served; /* what weft_link_serve() returned last */
};

static inline int server_main(void *arg)
{
	struct server *s = arg;

	weft_store_relaxed(&s->served, weft_link_serve(s->l, s->fn, s->arg));
	return weft_load_relaxed(&s->served);
}

/* Serve in n tasks, up to SERVERS_MAX. */
static inline void serve(struct server *s, int n)
{
	for (s->n = 0; s->n < n; s->n++)
		s->tasks[s->n] = testing_spawn(server_main, s);
}

/* Until the link is closed; then free it. */
static inline void end_serving(struct server *s)
{
	CHECK_EQ(weft_link_close(s->l), 0);
	while (s->n > 0)
		CHECK_EQ(testing_join(s->tasks[--s->n]), 0);
	weft_link_free(s->l);
}

/* What they answer. */
static inline long reply_to(int request)
{
	return 3L * request + 1;
}

static inline int triple(const struct weft_link_call *call, const void *request,
                         void *reply, void *arg)
{
	(void)arg;
	CHECK(call->number > 0);
	*(long *)reply = reply_to(*(const int *)request);
	return 0;
}

/* --- a call from a task of its own --- */

struct caller {
	struct weft_link *l;
	int request;
	int64_t deadline_ns, returned_at;
	long reply;
};

static inline int call_main(void *arg)
{
	struct caller *c = arg;
	int err = weft_link_call(c->l, &c->request, &c->reply, c->deadline_ns);

	c->returned_at = weft_now();
	return err;
}

/* On the manual clock: it waits, when nothing else goes on. */
static inline struct weft_task *spawn_waiting(struct caller *c)
{
	struct weft_task *t = testing_spawn(call_main, c);

	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_join_until(t, NULL, WEFT_NOW), -ETIMEDOUT);
	return t;
}

#endif
