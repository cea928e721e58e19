/*
 * The calling task: its record, what it waits for, and its random numbers.
 *
 * A thread that is no task is adopted when it first needs a record, which it
 * keeps until it ends.
 */
#include "base/check.h"
#include "base/clock.h"
#include "task/internal.h"

static _Thread_local struct weft_task *self;
static pthread_once_t adopted_once = PTHREAD_ONCE_INIT;
static pthread_key_t adopted_key;

__attribute__((noinline)) struct weft_task *weft_self_or_null(void)
{
	return self;
}

__attribute__((noinline)) void weft_self_set(struct weft_task *t)
{
	self = t;
}

/* A thread that was adopted has ended. */
static void disown(void *record)
{
	weft_self_set(NULL); /* a later destructor is adopted anew */
	weft_task_record_put(record);
}

static void adopted_key_make(void)
{
	CHECK_EQ(pthread_key_create(&adopted_key, disown), 0);
	weft_cpus_refresh();
}

/* A seed that no other adopted thread of the process has. What one thread
 * chooses at random says nothing about what the next one does, even if each of
 * them chooses only once. */
static uint64_t adopted_seed(void)
{
	static _Atomic uint64_t adopted;
	uint64_t number = weft_fetch_add_relaxed(&adopted, 1u);

	return rng_mix(&number);
}

static struct weft_task *adopt(void)
{
	struct weft_task *t = weft_task_record_get("foreign thread");

	/* A thread that cannot be given a record cannot wait at all, and most
	 * of the calls that come here have no error to say so with. */
	CHECK(t != NULL);
	pthread_once(&adopted_once, adopted_key_make);
	CHECK_EQ(pthread_setspecific(adopted_key, t), 0);
	rng_seed(&t->rng, adopted_seed());
	weft_self_set(t);
	return t;
}

struct weft_task *weft_self(void)
{
	struct weft_task *t = weft_self_or_null();

	return t ? t : adopt();
}

const char *weft_task_name(const struct weft_task *task)
{
	return task ? task->name : "";
}

uint64_t weft_rand(void)
{
	return rng_next(&weft_self()->rng);
}

int64_t weft_wait_begin(const char *what, const void *on)
{
	struct weft_task *t = weft_self();
	int64_t now = clock_mono();

	weft_store_relaxed(&t->waits_on, on);
	weft_store_relaxed(&t->waits_since, now);
	weft_store_release(&t->waits_for, what);
	return now;
}

void weft_wait_done(void)
{
	weft_store_relaxed(&weft_self()->waits_for, NULL);
}

void weft_block_begin(const char *what, const void *on)
{
	struct weft_task *t = weft_self();

	weft_store_relaxed(&t->parks, weft_load_relaxed(&t->parks) + 1);
	weft_wait_begin(what, on);
}

void weft_block_done(void)
{
	weft_wait_done();
}
