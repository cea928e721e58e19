/* `weft stress chan` as a program of its own, for the tests. */
#include "stress/random/random.h"

int main(int argc, char **argv)
{
	return stress_chan_main(argc, argv);
}
