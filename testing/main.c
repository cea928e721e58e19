/* Linked into every test that has no main() of its own. */
#include "testing/testing.h"

int main(void)
{
	return testing_main();
}
