/* testing_demo: what a pattern's demo prints, for the tests of it. */
#ifndef WEFT_TESTING_DEMO_H
#define WEFT_TESTING_DEMO_H

#include "testing/testing.h"

/* All that the demo prints. On the manual clock, which is moved on as fast as
 * can be; the demo must succeed. The caller frees it. */
char *testing_demo(const struct pattern *p);

/* The same, line by line and without the newlines. Empty lines are left
 * out. */
void testing_demo_lines(const struct pattern *p,
                        void (*follow)(const char *line, void *arg), void *arg);

#endif
