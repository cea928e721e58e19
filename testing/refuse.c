#include "testing/refuse.h"

#include <errno.h>
#include <pthread.h>

#include <weft/atomic.h>

#include "base/check.h"

/* Guarded by the lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct testing_refusal refusal;
static pthread_t by; /* whose requests count, unless all do */
static unsigned long requests, refused;

/* A request before all this costs one load. */
static _Atomic bool refusing;

void testing_refuse(const struct testing_refusal *what)
{
	pthread_mutex_lock(&lock);
	CHECK(!weft_load_relaxed(&refusing));
	refusal = *what;
	by = pthread_self();
	requests = refused = 0;
	weft_store_relaxed(&refusing, what->nth > 0);
	pthread_mutex_unlock(&lock);
}

unsigned long testing_grant(unsigned long *asked)
{
	unsigned long n;

	pthread_mutex_lock(&lock);
	weft_store_relaxed(&refusing, false);
	n = refused;
	if (asked)
		*asked = requests;
	pthread_mutex_unlock(&lock);
	return n;
}

static bool is_to_fail(enum testing_resource of)
{
	if (!weft_load_relaxed(&refusing) || of != refusal.of)
		return false;
	if (!refusal.everywhere && !pthread_equal(by, pthread_self()))
		return false;
	requests++;
	if (requests != refusal.nth &&
	    !(refusal.for_good && requests > refusal.nth))
		return false;
	refused++;
	return true;
}

bool testing_is_refused(enum testing_resource of)
{
	bool fails;

	if (!weft_load_relaxed(&refusing))
		return false;
	pthread_mutex_lock(&lock);
	fails = is_to_fail(of);
	pthread_mutex_unlock(&lock);
	if (fails)
		errno = ENOMEM;
	return fails;
}

int __real_pthread_create(pthread_t *out, const pthread_attr_t *attr,
                          void *(*fn)(void *arg), void *arg);
int __wrap_pthread_create(pthread_t *out, const pthread_attr_t *attr,
                          void *(*fn)(void *arg), void *arg);

int __wrap_pthread_create(pthread_t *out, const pthread_attr_t *attr,
                          void *(*fn)(void *arg), void *arg)
{
	if (testing_is_refused(TESTING_THREADS))
		return EAGAIN;
	return __real_pthread_create(out, attr, fn, arg);
}
