/* Tests of what a worker keeps to itself: the deque. */
#include <stdlib.h>

#include "internal.h"
#include "testing/testing.h"

static struct deque *deque_new(void)
{
	struct deque *d = weft_pool_deque_new();

	CHECK(d != NULL);
	return d;
}

TEST(its_worker_takes_the_last_and_thieves_the_first)
{
	struct deque *d = deque_new();
	uint64_t elem;

	for (uint64_t i = 1; i <= 4; i++)
		CHECK(weft_pool_deque_push(d, i));
	CHECK(weft_pool_deque_pop(d, &elem));
	CHECK_EQ(elem, 4u);
	CHECK_EQ(weft_pool_deque_steal(d, &elem), 0);
	CHECK_EQ(elem, 1u);
	CHECK_EQ(weft_pool_deque_steal(d, &elem), 0);
	CHECK_EQ(elem, 2u);
	CHECK(weft_pool_deque_pop(d, &elem));
	CHECK_EQ(elem, 3u);
	CHECK(!weft_pool_deque_pop(d, &elem));
	CHECK_EQ(weft_pool_deque_steal(d, &elem), -EAGAIN);
	free(d);
	return 0;
}

TEST(it_is_full_at_its_size_wherever_it_begins)
{
	struct deque *d = deque_new();
	uint64_t elem;

	for (int round = 0; round < 3; round++) {
		for (uint64_t i = 0; i < WEFT_POOL_OWN_MAX; i++)
			CHECK(weft_pool_deque_push(d, i));
		CHECK(!weft_pool_deque_has_room(d));
		CHECK(!weft_pool_deque_push(d, 0));
		CHECK_EQ(weft_pool_deque_steal(d, &elem), 0);
		CHECK_EQ(elem, 0u);
		CHECK(weft_pool_deque_has_room(d));
		for (uint64_t i = WEFT_POOL_OWN_MAX - 1; i > 0; i--) {
			CHECK(weft_pool_deque_pop(d, &elem));
			CHECK_EQ(elem, i);
		}
		CHECK(!weft_pool_deque_pop(d, &elem));
	}
	free(d);
	return 0;
}

#define THIEVES 2
#define ELEMS (TESTING_SLOW ? 20000u : 300000u)

struct heist {
	struct deque *d;
	_Atomic unsigned char *taken; /* of each element: how often */
	_Atomic uint64_t left;
};

static void note(struct heist *h, uint64_t elem)
{
	CHECK_LT(elem, ELEMS);
	CHECK_EQ(weft_fetch_add_relaxed(&h->taken[elem], (unsigned char)1), 0);
	weft_fetch_sub_relaxed(&h->left, UINT64_C(1));
}

static int steal_until_all_are_gone(void *arg)
{
	struct heist *h = arg;
	uint64_t elem;
	int err;

	while (weft_load_relaxed(&h->left)) {
		err = weft_pool_deque_steal(h->d, &elem);
		if (!err)
			note(h, elem);
		else if (err == -EAGAIN)
			weft_yield();
	}
	return 0;
}

/* The worker mostly holds few, so that most are the last one there is. */
TEST(every_element_goes_to_one_only)
{
	struct heist h = { .d = deque_new() };
	struct weft_task *thieves[THIEVES];
	uint64_t elem;

	h.taken = calloc(ELEMS, sizeof(*h.taken));
	CHECK(h.taken != NULL);
	weft_store_relaxed(&h.left, (uint64_t)ELEMS);
	for (int i = 0; i < THIEVES; i++)
		thieves[i] = testing_spawn(steal_until_all_are_gone, &h);
	for (uint64_t next = 0; next < ELEMS;) {
		for (uint64_t n = weft_rand() % 4; n && next < ELEMS; n--)
			next += weft_pool_deque_push(h.d, next);
		for (uint64_t n = weft_rand() % 4; n; n--)
			if (weft_pool_deque_pop(h.d, &elem))
				note(&h, elem);
	}
	while (weft_pool_deque_pop(h.d, &elem))
		note(&h, elem);
	for (int i = 0; i < THIEVES; i++)
		CHECK_EQ(testing_join(thieves[i]), 0);
	CHECK_EQ(weft_load_relaxed(&h.left), 0u);
	free((void *)h.taken);
	free(h.d);
	return 0;
}
