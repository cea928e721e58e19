/* `weft stress` as a program of its own, for the tests. */
#include "stress/random/random.h"

int main(int argc, char **argv)
{
	return stress_main(argc, argv);
}
