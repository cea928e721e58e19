/*
 * kernel_cases: what the tests that all kernels share (common_test.c) have to
 * know of one pattern. Each folder has its own, in kernel_cases.c.
 *
 * Each table ends with an empty row. In the knobs of a row, `batch=1|16` stands
 * for two rows, and `variant=*` for one with each word of the knob, or with
 * each value that it recommends for a sweep; any number of knobs may have
 * several values, and all combinations are tried.
 */
#ifndef WEFT_TESTING_KERNEL_CASES_H
#define WEFT_TESTING_KERNEL_CASES_H

#include "testing/testing.h"

/* One cell. */
struct kernel_case {
	const char *knobs;
	/* Caught or refused: all that the reason must have in it; for a refusal
	 * it is the whole reason. */
	const char *words;
	/* Over this channel, or the built-in one of that name; neither: as the
	 * table says. */
	const struct weft_chan_impl *chan;
	const char *over;
	uint64_t items; /* 0: as many as the table says */
	/* How many of the built-in channels can do it: exactly, or, below 0, at
	 * least; 0: at least two. */
	int channels;
	/* How often the latency of each item is recorded; 0: once. */
	int recorded;
};

#define KERNEL_CASE_NEVER (-1)

/* What a figure must be. */
struct figure_case {
	const char *knobs, *name;
	double least, most; /* both 0 and absent: not there */
	uint64_t items;     /* 0: 200 */
	bool absent;
};

/*
 * Lines that the demo prints. `form` is a whole line, in which # with a lower-
 * case letter behind it stands for a number of that name. Every line must be of
 * some form; one that is of several counts for each. Forms are counted from 1.
 */
struct demo_form {
	const char *form;
	int times; /* exactly */
	/* Before the first of these lines, so many forms have come in full. */
	int since;
	/* For each of these lines one of form `after` has come before, which
	 * has the same numbers under the same names; in their order, if so. 0:
	 * no such form. */
	int after;
	bool in_order;
	/* Of these lines there have been at most `by` more than of form
	 * `ahead_of`. 0: no such form. */
	int ahead_of, by;
	/* What is true of the numbers of its line `nth`, from 1. NULL:
	 * anything. */
	bool (*holds)(const int *numbers, int nth);
};

bool demo_counts_from_0(const int *numbers, int nth);
bool demo_counts_from_1(const int *numbers, int nth);

struct kernel_cases {
	/* Are verified over every built-in channel that can do it. */
	const struct kernel_case *verified;
	/* With 0 to 4 items, over handoff. */
	const struct kernel_case *few;
	/* With 51 items, over handoff, in an open loop that has one due every
	 * 20 us: where they are and how often they are recorded. */
	const struct kernel_case *paced;
	/* 400 items over `chan`, which does something wrong. Without words:
	 * over each of those that drop, repeat and corrupt 4 of them, which the
	 * tally tells exactly. */
	const struct kernel_case *caught;
	/* Over handoff: neither possible nor set up. */
	const struct kernel_case *refused;
	/* 1000 items over a channel that moves no data. */
	const struct kernel_case *counted;
	const struct figure_case *figures; /* over handoff */
	const struct demo_form *demo;
};

#define PATTERN(name, ...) extern const struct kernel_cases kernel_cases_##name;
#include "patterns.def"
#undef PATTERN

#endif
