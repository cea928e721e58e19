/* muxes: what the tests of the mux share. */
#ifndef WEFT_PATTERNS_SELECT_SELECT_TESTING_H
#define WEFT_PATTERNS_SELECT_SELECT_TESTING_H

#include "mux.h"
#include "testing/testing.h"

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

/* A channel of int. */
static inline struct weft_chan *new_chan(const char *impl, size_t cap)
{
	struct weft_chan *c;

	CHECK_EQ(weft_chan_new(&c, weft_chan_impl_find(impl), cap, sizeof(int),
	                       NULL),
	         0);
	return c;
}

/* Nobody waits on it any more. */
static inline void free_chan(struct weft_chan *c)
{
	struct weft_chan_stats stats;

	weft_chan_stats(c, &stats);
	CHECK_EQ(stats.waiting, 0u);
	weft_chan_unref(c);
}

static inline size_t add(struct weft_mux *m, struct weft_chan *c,
                         enum weft_case_op op)
{
	size_t port;

	CHECK_EQ(weft_mux_add(m, c, op, &port), 0);
	return port;
}

static inline size_t add_input(struct weft_mux *m, struct weft_chan *c)
{
	return add(m, c, WEFT_CASE_RECV);
}

static inline size_t add_output(struct weft_mux *m, struct weft_chan *c)
{
	return add(m, c, WEFT_CASE_SEND);
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

/* A call in a task of its own. */
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
static inline void begin_call(struct waiting *w)
{
	w->task = testing_spawn(wait_main, w);
	CHECK_EQ(weft_clock_settle(), 0);
}

static inline struct waiting receiving(struct weft_mux *m)
{
	return (struct waiting){ .m = m,
		                 .recv = true,
		                 .deadline_ns = WEFT_FOREVER };
}

static inline struct waiting sending(struct weft_mux *m, int v)
{
	return (struct waiting){
		.m = m, .send = true, .out = v, .deadline_ns = WEFT_FOREVER
	};
}

static inline struct waiting selecting(struct weft_mux *m, int v)
{
	return (struct waiting){ .m = m,
		                 .recv = true,
		                 .send = true,
		                 .out = v,
		                 .deadline_ns = WEFT_FOREVER };
}

#endif
