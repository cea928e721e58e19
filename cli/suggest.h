/* suggest: what a mistyped word was probably meant to be. */
#ifndef WEFT_CLI_SUGGEST_H
#define WEFT_CLI_SUGGEST_H

/*
 * The nearest to `word` in a NULL-terminated list; of equally near ones the
 * first. NULL when none is near enough to be worth a question.
 */
const char *suggest(const char *word, const char *const *known);

#endif
