/* rigs: what the tests of the mux share. */
#ifndef WEFT_PATTERNS_SELECT_SELECT_TESTING_H
#define WEFT_PATTERNS_SELECT_SELECT_TESTING_H

#include <errno.h>

#include "mux.h"
#include "testing/testing.h"

/* --- channels --- */

/* A channel of int. */
static inline struct weft_chan *new_chan(const char *impl, size_t cap)
{
	return testing_chan(impl, cap, sizeof(int));
}

/* Nobody waits on it any more. */
static inline void free_chan(struct weft_chan *c)
{
	struct weft_chan_stats stats;

	weft_chan_stats(c, &stats);
	CHECK_EQ(stats.waiting, 0u);
	weft_chan_unref(c);
}

static inline void put(struct weft_chan *c, int v)
{
	CHECK_EQ(weft_chan_try_send(c, &v), 0);
}

static inline int take(struct weft_chan *c)
{
	int v = 0;

	CHECK_EQ(weft_chan_try_recv(c, &v), 0);
	return v;
}

/* --- muxes --- */

static inline struct weft_mux *mux_of(const struct weft_mux_opts *opts)
{
	struct weft_mux *m;

	CHECK_EQ(weft_mux_new(&m, opts), 0);
	return m;
}

/* A mux of int. */
static inline struct weft_mux *new_mux(void)
{
	return mux_of(&(struct weft_mux_opts){ .elem_size = sizeof(int) });
}

static inline size_t add_input(struct weft_mux *m, struct weft_chan *c)
{
	size_t port;

	CHECK_EQ(weft_mux_add(m, c, WEFT_CASE_RECV, &port), 0);
	return port;
}

static inline size_t add_output(struct weft_mux *m, struct weft_chan *c)
{
	size_t port;

	CHECK_EQ(weft_mux_add(m, c, WEFT_CASE_SEND, &port), 0);
	return port;
}

static inline struct weft_mux_stats mux_stats(struct weft_mux *m)
{
	struct weft_mux_stats stats;

	CHECK_EQ(weft_mux_stats(m, &stats), 0);
	return stats;
}

static inline struct weft_mux_port_stats port_stats(struct weft_mux *m,
                                                    size_t port)
{
	struct weft_mux_port_stats stats;

	CHECK_EQ(weft_mux_port_stats(m, port, &stats), 0);
	return stats;
}

/* --- rigs --- */

#define RIG_MAX 40

/* A mux, and channels that are freed behind it. */
struct rig {
	struct weft_mux *m;
	struct weft_chan *c[RIG_MAX];
	size_t n;
};

/* A channel beside the mux. */
static inline struct weft_chan *keep(struct rig *r, struct weft_chan *c)
{
	CHECK_LT(r->n, (size_t)RIG_MAX);
	return r->c[r->n++] = c;
}

/* A channel of int as a port of the mux. Where they all are, a port has the
 * number of its channel. */
static inline struct weft_chan *input(struct rig *r, const char *impl,
                                      size_t cap)
{
	add_input(r->m, keep(r, new_chan(impl, cap)));
	return r->c[r->n - 1];
}

static inline struct weft_chan *output(struct rig *r, const char *impl,
                                       size_t cap)
{
	add_output(r->m, keep(r, new_chan(impl, cap)));
	return r->c[r->n - 1];
}

/* Another mux in place of the first. */
static inline struct weft_mux *replace_mux(struct rig *r,
                                           struct weft_mux_opts opts)
{
	weft_mux_free(r->m);
	r->m = mux_of(&opts);
	return r->m;
}

static inline void free_rig(struct rig *r)
{
	weft_mux_free(r->m);
	for (size_t i = 0; i < r->n; i++)
		free_chan(r->c[i]);
}

/* A TEST or TEST_MANUAL whose body has a rig `r` with a mux of int, `m`. */
#define RIG_TEST_BY(test, name)                                                \
	static void name##_on(struct rig *r, struct weft_mux *m);              \
	test(name)                                                             \
	{                                                                      \
		struct rig r = { .m = new_mux() };                             \
                                                                               \
		name##_on(&r, r.m);                                            \
		free_rig(&r);                                                  \
		return 0;                                                      \
	}                                                                      \
	static void name##_on(__attribute__((unused)) struct rig *r,           \
	                      __attribute__((unused)) struct weft_mux *m)

#define RIG_TEST(name) RIG_TEST_BY(TEST, name)
#define RIG_TEST_MANUAL(name) RIG_TEST_BY(TEST_MANUAL, name)

/* --- calls in tasks of their own --- */

struct waiting {
	struct weft_mux *m;
	bool recv, send;
	int in, out;
	int64_t deadline_ns;

	size_t which;
	enum weft_case_op op;
	int64_t returned_at;
	struct weft_task *task;
};

static inline int wait_main(void *arg)
{
	struct waiting *w = arg;
	int err;

	if (w->recv && w->send)
		err = weft_mux_select(w->m, &w->out, &w->in, &w->op, &w->which,
		                      w->deadline_ns);
	else if (w->recv)
		err = weft_mux_recv(w->m, &w->in, &w->which, w->deadline_ns);
	else
		err = weft_mux_send(w->m, &w->out, &w->which, w->deadline_ns);
	w->returned_at = weft_now();
	return err;
}

/* On the manual clock: begin it, and go on when it waits (or has ended). */
static inline void begin(struct waiting *w, struct weft_mux *m, bool recv,
                         bool send, int out, int64_t deadline_ns)
{
	*w = (struct waiting){ .m = m, .recv = recv, .send = send };
	w->out = out;
	w->deadline_ns = deadline_ns;
	w->task = testing_spawn(wait_main, w);
	CHECK_EQ(weft_clock_settle(), 0);
}

static inline void begin_recv(struct waiting *w, struct weft_mux *m)
{
	begin(w, m, true, false, 0, WEFT_FOREVER);
}

static inline void begin_send(struct waiting *w, struct weft_mux *m, int v)
{
	begin(w, m, false, true, v, WEFT_FOREVER);
}

static inline void begin_select(struct waiting *w, struct weft_mux *m, int v,
                                int64_t deadline_ns)
{
	begin(w, m, true, true, v, deadline_ns);
}

/* It has received v from that port. */
static inline void expect_received(const struct waiting *w, size_t which, int v)
{
	CHECK_EQ(testing_join(w->task), 0);
	CHECK_EQ(w->which, which);
	CHECK_EQ(w->in, v);
}

#endif
