/*
 * Bad input: a documented error, and nothing has changed.
 *
 * Some of what Go says about nil channels is here too: in C a NULL channel is
 * bad input and no channel that blocks for ever.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/check.h"
#include "stress/conform/suite.h"

static void null_channels_are_refused(struct cell *cell)
{
	struct weft_chan_stats stats = { 9, 9, 9 };
	_Alignas(WEFT_CACHE_LINE) unsigned char elem[WEFT_ELEM_MAX] = { 0 };
	size_t done = 9;

	(void)cell;
	MUST(weft_chan_send(NULL, elem, WEFT_FOREVER), -EINVAL);
	MUST(weft_chan_recv(NULL, elem, WEFT_FOREVER), -EINVAL);
	MUST(weft_chan_try_send(NULL, elem), -EINVAL);
	MUST(weft_chan_try_recv(NULL, elem), -EINVAL);
	MUST(weft_chan_send_many(NULL, elem, 1, &done, WEFT_FOREVER), -EINVAL);
	REQUIRE(done == 0, "send_many(NULL) left done at %zu", done);
	done = 9;
	MUST(weft_chan_recv_many(NULL, elem, 1, &done, WEFT_FOREVER), -EINVAL);
	REQUIRE(done == 0, "recv_many(NULL) left done at %zu", done);
	MUST(weft_chan_close(NULL), -EINVAL);
	REQUIRE(weft_chan_len(NULL) == 0, "len of NULL");
	REQUIRE(weft_chan_cap(NULL) == 0, "cap of NULL");
	REQUIRE(weft_chan_elem_size(NULL) == 0, "elem_size of NULL");
	REQUIRE(!weft_chan_impl_of(NULL), "impl_of NULL");
	REQUIRE(!weft_chan_ref(NULL), "ref of NULL");
	weft_chan_stats(NULL, &stats);
	REQUIRE(stats.parks == 0 && stats.wakes == 0 && stats.waiting == 0,
	        "stats of NULL");
	weft_chan_unref(NULL);
}

static void null_arguments(struct weft_chan *c)
{
	unsigned char elem[WEFT_ELEM_MAX] = { 0 };
	size_t done = 9;

	MUST(weft_chan_send(c, NULL, WEFT_FOREVER), -EINVAL);
	MUST(weft_chan_recv(c, NULL, WEFT_FOREVER), -EINVAL);
	MUST(weft_chan_try_send(c, NULL), -EINVAL);
	MUST(weft_chan_try_recv(c, NULL), -EINVAL);
	MUST(weft_chan_send_many(c, NULL, 1, &done, WEFT_FOREVER), -EINVAL);
	REQUIRE(done == 0, "a refused send_many left done at %zu", done);
	done = 9;
	MUST(weft_chan_recv_many(c, NULL, 1, &done, WEFT_FOREVER), -EINVAL);
	REQUIRE(done == 0, "a refused recv_many left done at %zu", done);
	MUST(weft_chan_send_many(c, elem, 1, NULL, WEFT_FOREVER), -EINVAL);
	MUST(weft_chan_recv_many(c, elem, 1, NULL, WEFT_FOREVER), -EINVAL);
}

/* In each state of the channel: what was inside is still all there is. */
static void null_elements_are_refused_and_change_nothing(struct cell *cell)
{
	struct weft_chan *c = cell_chan(cell);
	size_t n;

	if (cell->elem == 0)
		goto unref; /* then they are allowed */
	null_arguments(c);
	n = chan_fill(c, 0, cell->unbounded ? 50 : TO_THE_BRIM);
	null_arguments(c);
	REQUIRE(!cell->exact || chan_len(c) == n, "len is %zu and was %zu",
	        chan_len(c), n);
	MUST(chan_close(c), 0);
	null_arguments(c);
	must_drain(cell, c, 0, n);
unref:
	chan_end(c);
}

static void elements_of_no_bytes_need_no_address(struct cell *cell)
{
	struct weft_chan *c;
	size_t n = 0, done;
	int err = 0;

	if (weft_chan_impl_accepts(cell->impl, cell->cap, 0, NULL, 0))
		return;
	c = cell_chan_of(cell, cell->cap, 0, NULL);
	while (n < 20 && (err = weft_chan_try_send(c, NULL)) == 0)
		n++;
	MUST_OF("try_send", err, n < 20 ? -EAGAIN : 0);
	for (size_t i = 0; i < n; i++)
		MUST(weft_chan_recv(c, NULL, WEFT_FOREVER), 0);
	if (n > 0) {
		MUST(weft_chan_send_many(c, NULL, 1, &done, WEFT_FOREVER), 0);
		REQUIRE(done == 1, "send_many of 1 sent %zu", done);
		MUST(weft_chan_recv_many(c, NULL, 9, &done, WEFT_FOREVER), 0);
		REQUIRE(done == 1, "recv_many of 1 received %zu", done);
	}
	chan_end(c);
}

/* --- channels that cannot be --- */

/* What can be made, and what weft_chan_impl_accepts() says, must be one. */
static void as_accepted(const struct weft_chan_impl *impl, size_t cap,
                        size_t elem_size)
{
	struct weft_chan *none = (struct weft_chan *)(uintptr_t)1, *c = none;
	char why[200] = "";
	int may =
	        weft_chan_impl_accepts(impl, cap, elem_size, why, sizeof(why));
	int err = weft_chan_new(&c, impl, cap, elem_size, NULL);

	if (err == 0) {
		REQUIRE(may == 0,
		        "capacity %zu of %zu bytes was made, though: %s", cap,
		        elem_size, why);
		chan_end(c);
		return;
	}
	REQUIRE(c == none, "a failed weft_chan_new changed its argument");
	if (may) {
		MUST_OF("impl_accepts", may, -EINVAL);
		MUST_OF("create", err, -EINVAL);
		REQUIRE(why[0] != '\0', "no reason was given");
		return;
	}
	/* Allowed, and yet too much for the machine or for the two together. */
	REQUIRE(err == -ENOMEM || err == -EINVAL,
	        "capacity %zu of %zu bytes gave %s", cap, elem_size,
	        code_name(err));
}

static void impossible_channels_are_refused(struct cell *cell)
{
	static const size_t caps[] = { 0, 1, 2, 3, 7, 64, 1000 };
	static const size_t sizes[] = { 0, 1, 8, 4095, 4096, 4097, SIZE_MAX };
	const struct weft_chan_impl *impl = cell->impl;

	for (size_t i = 0; i < sizeof(caps) / sizeof(*caps); i++)
		for (size_t k = 0; k < sizeof(sizes) / sizeof(*sizes); k++)
			as_accepted(impl, caps[i], sizes[k]);
	if (impl->max_cap)
		as_accepted(impl, impl->max_cap + 1, cell->elem);
	if (impl->min_elem)
		as_accepted(impl, cell->cap, impl->min_elem - 1);
}

/* Sums and products that would wrap around must not make a small channel. */
static void absurd_capacities_are_refused(struct cell *cell)
{
	static const size_t caps[] = { SIZE_MAX,         SIZE_MAX - 1,
		                       SIZE_MAX / 2 + 1, SIZE_MAX / 4,
		                       SIZE_MAX / 8 + 1, SIZE_MAX / 64 };

	for (size_t i = 0; i < sizeof(caps) / sizeof(*caps); i++) {
		struct weft_chan *c;
		int err = weft_chan_new(&c, cell->impl, caps[i], cell->elem,
		                        NULL);

		if (cell->impl->can & WEFT_CAN_UNBOUNDED) {
			MUST_OF("create", err, 0);
			chan_end(c);
		} else {
			REQUIRE(err == -EINVAL || err == -ENOMEM,
			        "a capacity of %zu gave %s", caps[i],
			        code_name(err));
		}
	}
}

/* Refused, or as large: with some 100000 inside, what is too small has been
 * written past its end. */
static void is_as_large_as_it_says(struct cell *cell, size_t cap)
{
	struct weft_chan *c;
	size_t n;
	int err = weft_chan_new(&c, cell->impl, cap, cell->elem, NULL);

	if (err) {
		REQUIRE(err == -EINVAL || err == -ENOMEM,
		        "a capacity of %zu gave %s", cap, code_name(err));
		return;
	}
	REQUIRE(weft_chan_cap(c) >= cap, "a capacity of %zu became %zu", cap,
	        weft_chan_cap(c));
	n = chan_fill(c, 0, 100000);
	MUST(chan_close(c), 0);
	must_drain(cell, c, 0, n);
	chan_end(c);
}

/* Beyond what the process has now. */
#define MORE ((size_t)64 << 20)

/* Returns what was allowed before. */
static struct rlimit allow_little_more(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	char line[128] = "";
	struct rlimit old, few;
	size_t pages;

	if (f) {
		if (!fgets(line, sizeof(line), f))
			line[0] = '\0';
		fclose(f);
	}
	pages = strtoul(line, NULL, 10);
	CHECK_EQ(getrlimit(RLIMIT_AS, &old), 0);
	few = old;
	if (pages)
		few.rlim_cur = pages * (size_t)sysconf(_SC_PAGESIZE) + MORE;
	CHECK_EQ(setrlimit(RLIMIT_AS, &few), 0);
	return old;
}

/* Slots of an element and up to so many bytes beside it. */
#define BESIDE 128

/* The least capacity of which 32 bits cannot hold the bytes, and 64, whatever a
 * slot takes. */
static void capacities_whose_bytes_wrap_are_refused(struct cell *cell)
{
	size_t elem = cell->elem ? cell->elem : 1, cap;
	struct rlimit old = allow_little_more();

	for (size_t stride = elem; stride <= elem + BESIDE; stride++) {
		if (stride % 4 && stride > elem + 4)
			continue;
		vital_goes_on();
		cap = UINT32_MAX / stride + 1;
		if (cell_takes(cell, cap))
			is_as_large_as_it_says(cell, cap);
		cap = SIZE_MAX / stride + 1;
		if (cell_takes(cell, cap))
			is_as_large_as_it_says(cell, cap);
	}
	CHECK_EQ(setrlimit(RLIMIT_AS, &old), 0);
}

static void bad_arguments_of_new_are_refused(struct cell *cell)
{
	struct weft_chan_opts opts = { .wait = (enum weft_wait)99 };
	struct weft_chan *none = (struct weft_chan *)(uintptr_t)1, *c = none;

	MUST(weft_chan_new(NULL, cell->impl, cell->cap, cell->elem, NULL),
	     -EINVAL);
	MUST(weft_chan_new(&c, NULL, cell->cap, cell->elem, NULL), -EINVAL);
	MUST(weft_chan_new(&c, cell->impl, cell->cap, cell->elem, &opts),
	     -EINVAL);
	MUST(weft_chan_impl_accepts(NULL, 1, 8, NULL, 0), -EINVAL);
	REQUIRE(c == none, "a failed weft_chan_new changed its argument");
}

static void a_channel_says_what_it_is(struct cell *cell)
{
	struct weft_chan *c = cell_chan(cell);
	struct weft_chan_stats stats = { 9, 9, 9 };

	REQUIRE(weft_chan_impl_of(c) == cell->impl, "impl_of is another");
	REQUIRE(weft_chan_elem_size(c) == cell->elem, "elem_size is %zu",
	        weft_chan_elem_size(c));
	weft_chan_stats(c, &stats);
	REQUIRE(stats.parks == 0 && stats.wakes == 0 && stats.waiting == 0,
	        "a new channel has figures already");
	chan_end(c);
}

const struct conform_check conform_misuse[] = {
	{ .name = "a_channel_says_what_it_is",
	  .over = OVER_CAPS | OVER_SIZES,
	  .fn = a_channel_says_what_it_is },
	{ .name = "null_channels_are_refused",
	  .scenarios = "23, 31",
	  .over = OVER_OWN,
	  .fn = null_channels_are_refused },
	{ .name = "null_elements_are_refused_and_change_nothing",
	  .scenarios = "31",
	  .needs = NEEDS_DATA,
	  .over = OVER_CAPS,
	  .fn = null_elements_are_refused_and_change_nothing },
	{ .name = "elements_of_no_bytes_need_no_address",
	  .needs = NEEDS_DATA,
	  .over = OVER_CAPS,
	  .fn = elements_of_no_bytes_need_no_address },
	{ .name = "bad_arguments_of_new_are_refused",
	  .over = OVER_OWN,
	  .fn = bad_arguments_of_new_are_refused },
	{ .name = "impossible_channels_are_refused",
	  .over = OVER_OWN,
	  .fn = impossible_channels_are_refused },
	{ .name = "capacities_whose_bytes_wrap_are_refused",
	  .needs = NEEDS_UNSAN | NEEDS_DATA | NEEDS_TAGS | WEFT_CAN_BOUNDED,
	  .over = OVER_OWN,
	  .fn = capacities_whose_bytes_wrap_are_refused },
	{ .name = "absurd_capacities_are_refused",
	  .needs = NEEDS_UNSAN,
	  .over = OVER_OWN,
	  .fn = absurd_capacities_are_refused },
	{ .name = NULL },
};
