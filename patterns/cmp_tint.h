/* cmp_tint: lines in the colour of the task that has written them. */
#ifndef WEFT_CMP_TINT_H
#define WEFT_CMP_TINT_H

#include <stdbool.h>
#include <stdio.h>

struct tint;

/* Whether `out` is a terminal that shows colours, and nobody asks for none:
 * NO_COLOR (no-color.org), TERM=dumb. */
bool cmp_tint_is_wanted(FILE *out);

/*
 * A stream that passes each line on to `out` as soon as it is whole, in a
 * colour that belongs to the task which ends it: the first task to write has
 * none, and the others get one each, in turn, as they come. NULL when there is
 * no memory for it. It is closed by cmp_tint_close(); `out` stays open.
 */
FILE *cmp_tint_open(FILE *out, struct tint **to);

/* From here on all tasks are new. */
void cmp_tint_forget(struct tint *t);

/* 0, or EOF when something could not be written. */
int cmp_tint_close(FILE *stream, struct tint *t);

#endif
