/*
 * plain: numbers as C writes them, with a decimal point.
 *
 * Foreign code may be loaded, and setlocale() changes the locale of the whole
 * process. A thread that has a locale of its own does not follow it.
 */
#ifndef WEFT_CLI_PLAIN_H
#define WEFT_CLI_PLAIN_H

#include <locale.h>

/* From here on the calling thread writes and reads as in C. Returns what
 * plain_end() gives it back. */
static inline locale_t plain_begin(void)
{
	/* The C locale is there from the start; nothing is allocated. */
	return uselocale(newlocale(LC_ALL_MASK, "C", (locale_t)0));
}

static inline void plain_end(locale_t was)
{
	uselocale(was);
}

#endif
