/* Tests of the tasks that a component owns. Its tasks that are left behind,
 * TEST sees. */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include <weft/atomic.h>

#include "common/crew.h"
#include "testing/testing.h"

#define MEMBERS 3

enum how { RETURN, EXIT, DIE };

struct hand {
	struct weft_crew_member member;
	enum how how; /* of its first call; later ones return */
	int status;   /* with which it does */
	_Atomic int calls, left;
	int left_with;
};

static struct {
	struct weft_crew crew;
	struct hand hands[MEMBERS];
	_Atomic int last, at_last; /* calls of last(), and left() by then */
	_Atomic bool hold;         /* work() goes on until this is false */
	bool goes_on;              /* what again() says */
} it;

static int work(struct weft_crew_member *m)
{
	struct hand *h = (struct hand *)m;

	while (weft_load_acquire(&it.hold))
		weft_yield();
	if (weft_fetch_add_relaxed(&h->calls, 1) > 0)
		return 0;
	if (h->how == EXIT)
		weft_task_exit(h->status);
	if (h->how == DIE)
		pthread_exit(NULL);
	return h->status;
}

static bool again(struct weft_crew_member *m, enum weft_guard_end end,
                  int status)
{
	const struct hand *h = (struct hand *)m;

	CHECK_EQ((int)end, (int)h->how); /* so declared */
	CHECK_LT(status, 0);
	return it.goes_on;
}

_Static_assert((int)EXIT == (int)WEFT_GUARD_EXITED &&
                       (int)DIE == (int)WEFT_GUARD_DIED,
               "these are the ends that again() is told");

static void left(struct weft_crew_member *m, int status)
{
	struct hand *h = (struct hand *)m;

	h->left_with = status;
	weft_fetch_add_relaxed(&h->left, 1);
}

static void last(struct weft_crew *c)
{
	CHECK(c == &it.crew);
	weft_fetch_add_relaxed(&it.last, 1);
	for (int i = 0; i < MEMBERS; i++)
		weft_fetch_add_relaxed(&it.at_last,
		                       weft_load_relaxed(&it.hands[i].left));
}

static const struct weft_crew_ops ops = { .numbered = true,
	                                  .work = work,
	                                  .again = again,
	                                  .left = left,
	                                  .last = last };

static int start(size_t n, size_t stack_bytes)
{
	struct weft_task_opts opts = { "hand", stack_bytes };

	return weft_crew_start(&it.crew, &ops, it.hands, n, sizeof(struct hand),
	                       &opts);
}

/* All of them with the same end. */
static void run_all(enum how how, int status, bool goes_on)
{
	memset(&it, 0, sizeof(it));
	it.goes_on = goes_on;
	for (int i = 0; i < MEMBERS; i++) {
		it.hands[i].how = how;
		it.hands[i].status = status;
	}
	/* weft_crew_start() fills in the member, and leaves the rest. */
	CHECK_EQ(start(MEMBERS, 0), 0);
	CHECK_EQ(weft_crew_wait(&it.crew, WEFT_FOREVER), 0);
	CHECK(weft_crew_has_ended(&it.crew));
	weft_crew_join(&it.crew);
	CHECK_EQ(weft_load_relaxed(&it.last), 1);
	CHECK_EQ(weft_load_relaxed(&it.at_last), MEMBERS);
}

static void expect(int calls, int left_with, int heirs)
{
	for (int i = 0; i < MEMBERS; i++) {
		CHECK_EQ(weft_load_relaxed(&it.hands[i].calls), calls);
		CHECK_EQ(weft_load_relaxed(&it.hands[i].left), 1);
		CHECK_EQ(it.hands[i].left_with, left_with);
	}
	CHECK_EQ((int)weft_load_relaxed(&it.crew.heirs), heirs);
}

TEST(each_leaves_once_with_its_status_and_the_last_one_ends_the_crew)
{
	run_all(RETURN, 0, true);
	expect(1, 0, 0);
	run_all(RETURN, -EXDEV, true);
	expect(1, -EXDEV, 0);
	run_all(EXIT, -EXDEV, false);
	expect(1, -EXDEV, 0);
	run_all(EXIT, 5, false);
	expect(1, -ECANCELED, 0);
	run_all(DIE, 0, false);
	expect(1, -ECANCELED, 0);
	return 0;
}

TEST(one_that_goes_on_is_called_again)
{
	run_all(EXIT, -EXDEV, true);
	expect(2, 0, 0);
	return 0;
}

TEST(one_that_has_lost_its_thread_has_an_heir)
{
	run_all(DIE, 0, true);
	expect(2, 0, MEMBERS);
	return 0;
}

TEST(a_wait_may_be_given_up)
{
	memset(&it, 0, sizeof(it));
	weft_store_relaxed(&it.hold, true);
	CHECK_EQ(start(MEMBERS, 0), 0);
	CHECK_EQ(weft_crew_wait(&it.crew, WEFT_NOW), -ETIMEDOUT);
	CHECK(!weft_crew_has_ended(&it.crew));
	weft_store_release(&it.hold, false);
	weft_crew_join(&it.crew);
	return 0;
}

TEST(a_crew_of_none_has_ended)
{
	memset(&it, 0, sizeof(it));
	CHECK_EQ(start(0, 0), 0);
	CHECK_EQ(weft_load_relaxed(&it.last), 1);
	CHECK(weft_crew_has_ended(&it.crew));
	weft_crew_join(&it.crew);
	return 0;
}

TEST(one_that_was_not_started_has_ended)
{
	memset(&it, 0, sizeof(it));
	CHECK(weft_crew_has_ended(&it.crew));
	CHECK_EQ(weft_crew_wait(&it.crew, WEFT_FOREVER), 0);
	weft_crew_join(&it.crew);
	return 0;
}

/* No machine has stacks of this size to give. */
TEST(where_one_cannot_be_started_none_begins)
{
	memset(&it, 0, sizeof(it));
	CHECK_LT(start(MEMBERS, SIZE_MAX / 4096 * 4096), 0);
	for (int i = 0; i < MEMBERS; i++) {
		CHECK_EQ(weft_load_relaxed(&it.hands[i].calls), 0);
		CHECK_EQ(weft_load_relaxed(&it.hands[i].left), 0);
	}
	CHECK_EQ(weft_load_relaxed(&it.last), 0);
	CHECK(weft_crew_has_ended(&it.crew));
	weft_crew_join(&it.crew);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		        each_leaves_once_with_its_status_and_the_last_one_ends_the_crew),
		cmocka_unit_test(one_that_goes_on_is_called_again),
		cmocka_unit_test(one_that_has_lost_its_thread_has_an_heir),
		cmocka_unit_test(a_wait_may_be_given_up),
		cmocka_unit_test(a_crew_of_none_has_ended),
		cmocka_unit_test(one_that_was_not_started_has_ended),
		cmocka_unit_test(where_one_cannot_be_started_none_begins),
	};

	return cmocka_run_group_tests_name("crew", tests, NULL, NULL);
}
