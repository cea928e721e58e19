/*
 * foreign: a sound channel from a library that takes the process for its own:
 * on loading it sets the locale that the environment asks for.
 */
#include <locale.h>

#include "base.h"

__attribute__((constructor)) static void take_over(void)
{
	setlocale(LC_ALL, "");
}

PLUG_IN("foreign", "for tests: sets the locale of the process", RING_CAN,
        RING_OPS);
