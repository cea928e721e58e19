/* screen: lines that are drawn over on a terminal, and words for a shell. */
#ifndef STRESS_CONFORM_SCREEN_H
#define STRESS_CONFORM_SCREEN_H

#include <stdio.h>

#include <weft/export.h>

/*
 * The columns of the terminal that `out` is, 80 if it does not know. 0 when it
 * is none, or one that cannot draw a line again ($TERM is dumb, empty, or not
 * there).
 */
unsigned screen_columns(FILE *out);

/*
 * Show a line that screen_erase() takes away: cut so that it stays one line on
 * a terminal of so many columns, none of which may be 0.
 */
WEFT_PRINTF(3, 4)
void screen_draw(FILE *out, unsigned columns, const char *format, ...);

/* Nothing when `columns` is 0. */
void screen_erase(FILE *out, unsigned columns);

/* Print a word so that a shell reads it as that one word. */
void screen_quote(FILE *out, const char *word);

#endif
