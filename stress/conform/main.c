/* The checks as a program of their own, for the tests. */
#include "stress/conform/conform.h"

int main(int argc, char **argv)
{
	return conform_main(argc, argv);
}
