/*
 * conform: whether an implementation of a channel keeps the contract.
 *
 * Each check is one statement about weft/chan.h, tried over the capacities,
 * element sizes and wait policies that concern it, in a process of its own.
 * What an implementation declares is tested; what it does not declare is not
 * applicable and never replaced by something else.
 */
#ifndef STRESS_CONFORM_CONFORM_H
#define STRESS_CONFORM_CONFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/chan.h>

enum conform_verdict {
	CONFORM_PASS,
	CONFORM_FAIL,    /* the contract is broken */
	CONFORM_HUNG,    /* and somebody waits for ever */
	CONFORM_CRASHED, /* a signal ended it */
	CONFORM_NA,      /* not declared, or not testable here */
	CONFORM_UNTRIED, /* the machine lacks what it takes: threads, say */
};

struct conform_check;

size_t conform_count(void);

/* The i-th check, in the order in which they run; NULL past the last. */
const struct conform_check *conform_at(size_t i);

/* A sentence_with_underscores. */
const char *conform_name(const struct conform_check *check);

/* The numbers of its scenarios, such as "1, 2"; may be empty. */
const char *conform_scenarios(const struct conform_check *check);

/* Zero everywhere is the default. */
struct conform_opts {
	uint64_t seed; /* of all that is random; 0 = 1 */
	/* In which a check must get on; 0 = CONFORM_TIME_LIMIT. Once three
	 * checks have hung, a tenth of it. */
	int64_t time_limit_ns;

	const char *only;  /* POSIX extended regex on names; NULL = all */
	unsigned percent;  /* of the usual repetitions; 0 = 100 */
	int64_t budget_ns; /* after which no check begins; 0 = any time */
	uint64_t failures; /* after which no more are run; 0 = all are */
};

#define CONFORM_TIME_LIMIT (20 * WEFT_SEC)

/* Valid during the callback. */
struct conform_result {
	const struct weft_chan_impl *impl;
	const struct conform_check *check;
	enum conform_verdict verdict;
	int64_t ns;        /* how long it took */
	const char *where; /* the variation that was under way */
	const char *why;   /* one line; empty when it passed */
	const char *note;  /* what the check has to remark; may be empty */
	const char *log;   /* all that the process printed */
};

/*
 * Run the checks that opts->only names against `impl`.
 *
 * opts    NULL for the defaults.
 * begin   called before each check that applies; may be NULL.
 * result  called after each check, those that do not apply included.
 *
 * The calling process must have a single thread; the caller must not be a
 * task.
 *
 * Returns how many did not pass (those not applicable do not count, the untried
 * do); -EINVAL for a NULL or a bad regex; -errno when no process can be
 * started.
 */
int conform_run(const struct weft_chan_impl *impl,
                const struct conform_opts *opts,
                void (*begin)(const struct weft_chan_impl *impl,
                              const struct conform_check *check, void *arg),
                void (*result)(const struct conform_result *result, void *arg),
                void *arg);

/* "PASS", "FAIL", "HUNG", "CRASHED", "N/A", "UNTRIED". */
const char *conform_verdict_name(enum conform_verdict verdict);

/* What follows "usage: weft " of the command, and its one-line summary. */
extern const char conform_help[], conform_summary[];

/* `weft check`: argv[0] is the subcommand. Returns the exit status. */
int conform_main(int argc, char **argv);

#endif
