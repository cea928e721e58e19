/*
 * A waiter that was told, found nothing and counts as waiting again needs the
 * barrier of its first registration anew: a publisher that did not see it may
 * have published what only the barrier makes visible.
 *
 * No machine shows that on demand. So the linker puts this file's barrier in
 * the way (--wrap), and what was published without seeing the waiter becomes
 * visible there.
 */
#include <errno.h>

#include <weft/atomic.h>

#include "task/await.h"
#include "task/testing.h"

static struct {
	struct waitq q;
	_Atomic bool there;
	int barriers;
	int publish_at; /* this barrier makes the element visible */
} scene;

void __real_weft_barrier_registered(void);
void __wrap_weft_barrier_registered(void);

void __wrap_weft_barrier_registered(void)
{
	__real_weft_barrier_registered();
	if (++scene.barriers == scene.publish_at)
		weft_store_relaxed(&scene.there, true);
}

static int take(void *arg)
{
	(void)arg;
	return weft_xchg_acq_rel(&scene.there, false) ? 0 : -EAGAIN;
}

static int waits(void *arg)
{
	const struct awaiting w = { .q = &scene.q,
		                    .what = "rearm",
		                    .look = take,
		                    .policy = WEFT_WAIT_PARK };

	(void)arg;
	return weft_await(&w, NULL, WEFT_FOREVER);
}

static struct weft_task *start(int publish_at)
{
	weft_waitq_init(&scene.q);
	weft_store_relaxed(&scene.there, false);
	scene.barriers = 0;
	scene.publish_at = publish_at;
	return testing_spawn(waits, NULL);
}

TEST_MANUAL(what_the_first_registration_makes_visible_is_found)
{
	CHECK_EQ(testing_join(start(1)), 0);
	return 0;
}

TEST_MANUAL(what_counting_again_makes_visible_is_found)
{
	struct weft_task *t = start(2);

	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(scene.barriers, 1);
	waitq_notify(&scene.q, 1); /* another task had what it stood for */
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(scene.barriers, 2);
	CHECK_EQ(testing_join(t), 0);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		        what_the_first_registration_makes_visible_is_found),
		cmocka_unit_test(what_counting_again_makes_visible_is_found),
	};

	return cmocka_run_group_tests_name("rearm", tests, NULL, NULL);
}
