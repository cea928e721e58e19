/*
 * refuse: allocations and new threads that fail on request.
 *
 * Every allocation of the test, the patterns and the library, and every
 * pthread_create(), goes by here: see weft_testing in CMakeLists.txt.
 */
#ifndef WEFT_TESTING_REFUSE_H
#define WEFT_TESTING_REFUSE_H

#include <stdbool.h>

enum testing_resource { TESTING_MEMORY, TESTING_THREADS };

struct testing_refusal {
	enum testing_resource of;
	unsigned long nth; /* the first that fails: 1 is the next; 0: none */
	bool for_good;     /* and all after it */
	bool everywhere;   /* asked for by any thread; or by the caller only */
};

/* From now on; one at a time. */
void testing_refuse(const struct testing_refusal *what);

/* No more from now. Returns how many failed; *asked is how many there were, and
 * may be NULL. */
unsigned long testing_grant(unsigned long *asked);

/* For what stands before the allocator: whether this request is to fail. */
bool testing_is_refused(enum testing_resource of);

#endif
