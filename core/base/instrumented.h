/* instrumented: whether foreign code was built for the sanitizer of this build.
 */
#ifndef WEFT_BASE_INSTRUMENTED_H
#define WEFT_BASE_INSTRUMENTED_H

#include <stdbool.h>

/*
 * False when this build has the thread sanitizer and the shared object that
 * holds `inside` has not. The sanitizer cannot see what such code orders, and
 * takes what was ordered by it for a race.
 */
bool weft_is_instrumented(const void *inside);

#endif
