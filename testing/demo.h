/* testing_demo: what a pattern's demo prints, for the tests of it. */
#ifndef WEFT_TESTING_DEMO_H
#define WEFT_TESTING_DEMO_H

#include "testing/kernel_cases.h"

/* All that the demo prints. On the manual clock, which is moved on as fast as
 * can be; the demo must succeed. The caller frees it. */
char *testing_demo(const struct pattern *p);

/* Abort with a line on stderr unless `text` consists of lines of these forms.
 * Empty lines are left out. */
void testing_demo_fits(const char *text, const struct demo_form *forms);

#endif
