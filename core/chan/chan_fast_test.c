/*
 * What the uncontended path must not do: enter the kernel, or allocate.
 *
 * Allocations are counted by wrapping the allocator at link time, system calls
 * by tracing a child between two marks. Only what is counted is claimed.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <weft/weft.h>

#include "base/check.h"
#include "base/cost.h"

#define MESSAGES 20000

/* --- allocations --- */

static size_t allocations;

void *__real_malloc(size_t n);
void *__real_aligned_alloc(size_t align, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_aligned_alloc(size_t align, size_t n);

void *__wrap_malloc(size_t n)
{
	allocations++;
	return __real_malloc(n);
}

void *__wrap_aligned_alloc(size_t align, size_t n)
{
	allocations++;
	return __real_aligned_alloc(align, n);
}

/* --- what is measured --- */

static struct weft_chan *make(const struct weft_chan_impl *impl)
{
	struct weft_chan *c = NULL;

	CHECK_EQ(weft_chan_new(&c, impl, 64, sizeof(uint64_t), NULL), 0);
	return c;
}

/* Pairs of send and receive, and now and then a burst of 50 and back, so that
 * a segment boundary is met in every way. */
static void traffic(struct weft_chan *c, uint64_t messages)
{
	uint64_t v;

	for (uint64_t sent = 0; sent < messages;) {
		uint64_t burst = sent % 1000 ? 1 : 50;

		for (uint64_t i = 0; i < burst; i++) {
			v = sent + i;
			CHECK_EQ(weft_chan_send(c, &v, WEFT_FOREVER), 0);
		}
		for (uint64_t i = 0; i < burst; i++, sent++) {
			CHECK_EQ(weft_chan_recv(c, &v, WEFT_FOREVER), 0);
			CHECK_EQ(v, sent);
		}
	}
}

/* Those that are to be fast: they do not wait in the kernel. */
static bool is_fast(const struct weft_chan_impl *impl)
{
	return !(impl->can & (WEFT_BLOCKS_THREAD | WEFT_NO_DATA)) &&
	       (impl->can & (WEFT_CAN_BOUNDED | WEFT_CAN_UNBOUNDED));
}

static void sending_and_receiving_do_not_allocate(void **state)
{
	const struct weft_chan_impl *impl;

	(void)state;
	for (size_t i = 0; (impl = weft_chan_impl_at(i)); i++) {
		struct weft_chan *c;
		size_t before, limit;

		if (!is_fast(impl))
			continue;
		c = make(impl);
		traffic(c, 100);
		before = allocations;
		traffic(c, MESSAGES);
		/* An unbounded one may need another segment in a burst; it
		 * keeps a spare, so steady traffic needs none. */
		limit = impl->can & WEFT_CAN_UNBOUNDED ? MESSAGES / 50 : 0;
		if (allocations - before > limit)
			fail_msg("%s: %zu allocations for %d messages",
			         impl->name, allocations - before, MESSAGES);
		weft_chan_unref(c);
	}
}

/* --- system calls --- */

static void much_traffic(void *c)
{
	traffic(c, MESSAGES);
}

static void sending_and_receiving_do_not_enter_the_kernel(void **state)
{
	const struct weft_chan_impl *impl;

	(void)state;
	for (size_t i = 0; (impl = weft_chan_impl_at(i)); i++) {
		struct weft_chan *c;
		long n;

		if (!is_fast(impl))
			continue;
		c = make(impl);
		n = cost_syscalls(much_traffic, c);
		weft_chan_unref(c);
		if (n < 0)
			skip(); /* no ptrace here */
		/* An unbounded one may grow the heap once in a while; per
		 * message it is none. */
		if (n > COST_SYSCALLS_NONE)
			fail_msg("%s: %ld system calls for %d messages",
			         impl->name, n, MESSAGES);
	}
}

static void ask_500_times(void *arg)
{
	(void)arg;
	for (int i = 0; i < 500; i++)
		if (getppid() < 0)
			_exit(1);
}

/* The counter counts. */
static void the_counter_of_system_calls_counts(void **state)
{
	long n = cost_syscalls(ask_500_times, NULL);

	(void)state;
	if (n < 0)
		skip();
	assert_in_range(n, 500, 500 + COST_SYSCALLS_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sending_and_receiving_do_not_allocate),
		cmocka_unit_test(sending_and_receiving_do_not_enter_the_kernel),
		cmocka_unit_test(the_counter_of_system_calls_counts),
	};

	return cmocka_run_group_tests_name("chan fast path", tests, NULL, NULL);
}
