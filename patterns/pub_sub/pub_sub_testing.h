/* pub_sub_testing: what the tests of the bus share. Messages are ints. */
#ifndef WEFT_PATTERNS_PUB_SUB_TESTING_H
#define WEFT_PATTERNS_PUB_SUB_TESTING_H

#include "bus.h"
#include "testing/testing.h"

enum { NEWS = 1, SPORT = 2, ART = 3 };

/* A test of each kind of bus: `b`, which is freed behind it. */
#define TEST_BOTH_BY(test, name, cap)                                          \
	static void name##_of(struct weft_bus *b, bool ring);                  \
	test(name)                                                             \
	{                                                                      \
		for (int ring = 0; ring < 2; ring++) {                         \
			struct weft_bus *b = make_bus(ring, cap);              \
                                                                               \
			name##_of(b, ring);                                    \
			weft_bus_free(b);                                      \
		}                                                              \
		return 0;                                                      \
	}                                                                      \
	static void name##_of(struct weft_bus *b,                              \
	                      __attribute__((unused)) bool ring)
#define TEST_BOTH(name, cap) TEST_BOTH_BY(TEST, name, cap)
#define TEST_BOTH_MANUAL(name, cap) TEST_BOTH_BY(TEST_MANUAL, name, cap)

static inline struct weft_bus *make_bus(bool ring, size_t cap)
{
	const struct weft_bus_opts opts = { .ring = ring,
		                            .cap = cap,
		                            .elem_size = sizeof(int) };
	struct weft_bus *b;

	CHECK_EQ(weft_bus_new(&b, &opts), 0);
	return b;
}

static inline struct weft_sub *make_sub(struct weft_bus *b, enum weft_slow slow,
                                        uint64_t topic)
{
	const struct weft_sub_opts opts = { .slow = slow };
	struct weft_sub *s;

	CHECK_EQ(weft_sub_new(&s, b, &opts), 0);
	CHECK_EQ(weft_sub_join(s, topic), 0);
	return s;
}

static inline int publish(struct weft_bus *b, uint64_t topic, int message)
{
	return weft_bus_publish(b, topic, &message, WEFT_NOW);
}

/* The next messages must be first to last, behind so many that were missed; in
 * one call, which could take more. */
static inline void expect_run(struct weft_sub *s, int first, int last,
                              uint64_t missed)
{
	size_t n = (size_t)last + 1 - (size_t)first, done;
	int got[128];
	uint64_t m;

	CHECK_EQ(weft_sub_recv_many(s, got, 128, &done, &m, WEFT_NOW), 0);
	CHECK_EQ(done, n);
	for (size_t i = 0; i < n; i++)
		CHECK_EQ(got[i], first + (int)i);
	CHECK_EQ(m, missed);
}

/* The next message must be this one. */
static inline void expect(struct weft_sub *s, int message, uint64_t missed)
{
	uint64_t m;
	int got;

	CHECK_EQ(weft_sub_recv(s, &got, &m, WEFT_NOW), 0);
	CHECK_EQ(got, message);
	CHECK_EQ(m, missed);
}

/* Where it is at its end, it is told what it has missed until then. */
static inline void expect_end(struct weft_sub *s, int err, uint64_t missed)
{
	uint64_t m = UINT64_MAX;
	int got;

	CHECK_EQ(weft_sub_recv(s, &got, &m, WEFT_NOW), err);
	CHECK_EQ(m, missed);
}

static inline void expect_err(struct weft_sub *s, int err)
{
	CHECK_EQ(weft_sub_recv(s, &(int){ 0 }, NULL, WEFT_NOW), err);
}

/* Publish first to last in one call, of which so many go out. */
static inline void publish_run(struct weft_bus *b, uint64_t topic, int first,
                               int last, int err, size_t gone)
{
	size_t n = (size_t)last + 1 - (size_t)first, done;
	int m[128];

	for (size_t i = 0; i < n; i++)
		m[i] = first + (int)i;
	CHECK_EQ(weft_bus_publish_many(b, topic, m, n, &done, WEFT_NOW), err);
	CHECK_EQ(done, gone);
}

/* A task that publishes once or receives until it fails. */
struct call {
	struct weft_bus *b;
	struct weft_sub *s;
	uint64_t topic;
	int64_t deadline_ns;
	_Atomic int received;
	struct weft_task *task;
};

static inline int publish_main(void *arg)
{
	struct call *c = arg;
	int message = 99;

	return weft_bus_publish(c->b, c->topic, &message, c->deadline_ns);
}

static inline int recv_main(void *arg)
{
	struct call *c = arg;
	int message, err;

	while (!(err = weft_sub_recv(c->s, &message, NULL, c->deadline_ns)))
		weft_fetch_add_relaxed(&c->received, 1);
	return err;
}

static inline bool waits(struct call *c)
{
	CHECK_EQ(weft_clock_settle(), 0);
	return weft_join_until(c->task, NULL, WEFT_NOW) == -ETIMEDOUT;
}

/* On the manual clock. */
static inline void publish_and_wait(struct call *c, struct weft_bus *b,
                                    uint64_t topic, int64_t deadline_ns)
{
	*c = (struct call){ .b = b,
		            .topic = topic,
		            .deadline_ns = deadline_ns };
	c->task = testing_spawn(publish_main, c);
	CHECK(waits(c));
}

static inline void receive_and_wait(struct call *c, struct weft_sub *s)
{
	*c = (struct call){ .s = s, .deadline_ns = WEFT_FOREVER };
	c->task = testing_spawn(recv_main, c);
	CHECK(waits(c));
}

static inline struct weft_bus_stats bus_stats(struct weft_bus *b)
{
	struct weft_bus_stats stats;

	CHECK_EQ(weft_bus_stats(b, &stats), 0);
	return stats;
}

static inline struct weft_sub_stats sub_stats(struct weft_sub *s)
{
	struct weft_sub_stats stats;

	CHECK_EQ(weft_sub_stats(s, &stats), 0);
	return stats;
}

#endif
