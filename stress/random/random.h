/* random: random stress over channel implementations. */
#ifndef STRESS_RANDOM_RANDOM_H
#define STRESS_RANDOM_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

#include <weft/chan_impl.h>

#include "stress/conform/conform.h"

/* What is stressed: how to make episodes of it. */
struct subject {
	const char *name; /* `weft stress NAME` */

	/* Whether there are any for `impl`; if not, *why says so. */
	bool (*applies)(const struct weft_chan_impl *impl, const char **why);

	/* Run one, in a child process. Returns how many elements were sent. */
	uint64_t (*run)(const struct weft_chan_impl *impl, uint64_t seed);
};

/* One channel; selects over several; few calls at a time, in every detail. */
extern const struct subject subject_chan, subject_select, subject_history;

/* How one stretch of episodes went. */
struct stretch {
	enum conform_verdict verdict;
	uint64_t seed;     /* of the episode that did not pass */
	uint64_t episodes; /* that did */
	uint64_t items;    /* elements sent in them */
	char where[160];   /* what that episode was like */
	char why[400];
	char *log; /* belongs to stretch_free() */
};

/*
 * Run episodes of the subject with `impl` for `ns`, in a child process, until
 * one does not pass.
 *
 * seed   of the first episode; the next have others that follow from it.
 * same   they all have this one.
 * limit  of each episode: one that takes longer hung.
 * watch  called every 100 ms or so with `arg`; may be NULL.
 *
 * As conform_run(), the caller must not be a task. Returns 0, or -errno when
 * there is no child to be had.
 */
int stretch_run(const struct subject *subject,
                const struct weft_chan_impl *impl, uint64_t seed, bool same,
                int64_t ns, int64_t limit_ns, void (*watch)(void *arg),
                void *arg, struct stretch *out);

void stretch_free(struct stretch *s);

/* `weft stress WHAT`: argv[0] is the subcommand, argv[1] the subject. Returns
 * the exit status. */
int stress_main(int argc, char **argv);

/* What follows "usage: weft " of the command, and its one-line summary. */
extern const char stress_help[], stress_summary[];

#endif
