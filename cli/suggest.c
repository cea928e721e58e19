#include "cli/suggest.h"

#include <limits.h>
#include <stddef.h>
#include <string.h>

/* Longer words are nobody's typing error. */
#define WORD_MAX 63u

static unsigned min(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/*
 * Insertions, deletions, replacements and swaps of neighbours that turn a into
 * b (optimal string alignment). Rows of the table by length of the part of a;
 * three of them are enough.
 */
static unsigned distance(const char *a, const char *b)
{
	unsigned rows[3][WORD_MAX + 1];
	unsigned *before = rows[0], *last = rows[1], *row = rows[2], *spare;
	size_t m = strlen(a), n = strlen(b);

	if (m > WORD_MAX || n > WORD_MAX)
		return UINT_MAX;
	for (size_t j = 0; j <= n; j++)
		last[j] = (unsigned)j;
	for (size_t i = 1; i <= m; i++) {
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= n; j++) {
			unsigned other = a[i - 1] != b[j - 1];

			row[j] = min(last[j - 1] + other,
			             min(last[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1])
				row[j] = min(row[j], before[j - 2] + 1);
		}
		spare = before;
		before = last;
		last = row;
		row = spare;
	}
	return last[n];
}

/* A word cut short is one error, however much is missing. */
static unsigned errors_in(const char *word, const char *name)
{
	size_t n = strlen(word);

	return n >= 2 && strncmp(word, name, n) == 0 ? 1 : distance(word, name);
}

const char *suggest(const char *word, const char *const *known)
{
	const char *best = NULL;
	unsigned least = UINT_MAX, errors;

	for (; *known; known++) {
		errors = errors_in(word, *known);
		if (errors < least) {
			best = *known;
			least = errors;
		}
	}
	/* One error in every three letters still looks like a slip. */
	return least <= (strlen(word) + 2) / 3 ? best : NULL;
}
