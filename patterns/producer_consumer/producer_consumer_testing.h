/* What the tests of the buffer between producers and consumers share. */
#ifndef WEFT_PATTERNS_PRODUCER_CONSUMER_PRODUCER_CONSUMER_TESTING_H
#define WEFT_PATTERNS_PRODUCER_CONSUMER_PRODUCER_CONSUMER_TESTING_H

#include "buffer.h"
#include "testing/testing.h"

/* Of ints: NEW_BUFFER(.cap = 4, .producers = 2); and one that counts. */
#define NEW_BUFFER(...)                                                        \
	new_buffer((struct weft_buffer_opts){ .elem_size = sizeof(int),        \
	                                      __VA_ARGS__ })
#define NEW_COUNTING(...) NEW_BUFFER(.count = true, __VA_ARGS__)

static inline struct weft_buffer *new_buffer(struct weft_buffer_opts opts)
{
	struct weft_buffer *b;

	CHECK_EQ(weft_buffer_new(&b, &opts), 0);
	return b;
}

static inline struct weft_buffer_stats stats_of(const struct weft_buffer *b)
{
	struct weft_buffer_stats stats;

	CHECK_EQ(weft_buffer_stats(b, &stats), 0);
	return stats;
}

/* Tasks that put one item, or take one, however long it takes. */
static inline int put_main(void *arg)
{
	int item = 1;

	return weft_buffer_send(arg, &item, WEFT_FOREVER);
}

static inline int take_main(void *arg)
{
	int item;

	return weft_buffer_recv(arg, &item, WEFT_FOREVER);
}

#endif
