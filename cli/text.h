/*
 * line: one line of text, built up in the caller's memory.
 *
 * What does not fit is left out, and the text always ends. With no memory at
 * all (NULL, 0) everything is left out.
 */
#ifndef WEFT_CLI_TEXT_H
#define WEFT_CLI_TEXT_H

#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <weft/export.h>

struct text {
	char *text;
	size_t bytes;
	size_t used; /* what would stand there if all had fitted */
};

static inline struct text text_in(char *text, size_t bytes)
{
	if (text && bytes)
		text[0] = '\0';
	return (struct text){ .text = text, .bytes = text ? bytes : 0 };
}

WEFT_PRINTF(2, 0)
static inline void text_vadd(struct text *l, const char *format, va_list args)
{
	int n;

	if (l->used >= l->bytes)
		return;
	n = vsnprintf(l->text + l->used, l->bytes - l->used, format, args);
	l->used += n > 0 ? (size_t)n : 0;
}

WEFT_PRINTF(2, 3)
static inline void text_add(struct text *l, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	text_vadd(l, format, args);
	va_end(args);
}

/* What goes between two findings. */
static inline void text_next(struct text *l)
{
	if (l->used)
		text_add(l, "; ");
}

/* Add a finding to the ones that are there. */
WEFT_PRINTF(2, 3)
static inline void text_find(struct text *l, const char *format, ...)
{
	va_list args;

	text_next(l);
	va_start(args, format);
	text_vadd(l, format, args);
	va_end(args);
}

/* The same for something of which there are n, unless that is none. */
static inline void text_count(struct text *l, const char *what, uint64_t n)
{
	if (n)
		text_find(l, "%" PRIu64 " %s", n, what);
}

#endif
