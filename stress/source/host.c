/* weft-tsan, the torture bench by itself under the thread sanitizer: for
 * channels that are built for it. */
#include <stdio.h>
#include <string.h>

#include "cli/args.h"
#include "cli/plain.h"
#include "stress/conform/conform.h"
#include "stress/random/random.h"

int main(int argc, char **argv)
{
	plain_begin();
	if (argc > 1 && strcmp(argv[1], "check") == 0)
		return conform_main(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "stress") == 0)
		return stress_main(argc - 1, argv + 1);
	fprintf(stderr, "usage: weft-tsan check|stress ...: as weft, for "
	                "objects that are built with -fsanitize=thread\n");
	return EXIT_BAD_INPUT;
}
