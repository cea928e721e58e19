/* The tests of a file, which are known before main() is called. */
#include <stdlib.h>

#include "testing/testing.h"

static struct testing_case *cases;
static size_t ncases;

void testing_register(struct testing_case *c)
{
	struct testing_case **at = &cases;

	/* In the order of the file, whatever that of constructors is. */
	while (*at && (*at)->line < c->line)
		at = &(*at)->next;
	c->next = *at;
	*at = c;
	ncases++;
}

int testing_main(void)
{
	struct CMUnitTest *tests = calloc(ncases, sizeof(*tests));
	size_t n = 0;
	int failed;

	CHECK(tests && ncases);
	for (struct testing_case *c = cases; c; c = c->next)
		tests[n++] = (struct CMUnitTest){ .name = c->name,
			                          .test_func = c->fn };
	failed = _cmocka_run_group_tests("tests", tests, n, NULL, NULL);
	free(tests);
	return failed;
}
