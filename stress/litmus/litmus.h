/*
 * litmus: a few calls that race, a thousand times in a row, and how often each
 * outcome was seen.
 *
 * Each test has a state, made anew for each sample; up to three actors that act
 * on it, each a task of its own; and an arbiter that says, when all are done
 * with it, what came of it. The actors walk through an array of states, mostly
 * side by side: no barrier between two samples keeps their calls from meeting.
 * After jcstress.
 *
 * What a test does not list as an outcome is forbidden.
 */
#ifndef STRESS_LITMUS_LITMUS_H
#define STRESS_LITMUS_LITMUS_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/sync.h>
#include <weft/timer.h>

#include "stress/conform/suite.h"

#define LITMUS_ACTORS 3
#define LITMUS_OUTCOMES 6

enum litmus_expect {
	LITMUS_ACCEPT,
	LITMUS_INTERESTING, /* accepted, and worth knowing of */
	LITMUS_REQUIRED,    /* a run that never sees it did not try enough */
	LITMUS_FORBID,
};

/* An outcome: three small numbers of the test's choice, most of them errors
 * as positive numbers. */
#define OUTCOME(a, b, c)                                                       \
	((uint32_t)(uint8_t)(a) << 16 | (uint32_t)(uint8_t)(b) << 8 |          \
	 (uint32_t)(uint8_t)(c))
#define RESULT(err) ((uint8_t) - (err))

struct litmus_outcome {
	uint32_t code;
	enum litmus_expect expect;
	const char *what; /* NULL ends the table */
};

/* One sample. What a test does not use is zero. */
struct litmus_state {
	struct weft_chan *c, *d;
	struct weft_ctx *ctx;
	struct weft_timer *timer;
	union {
		struct weft_lock lock;
		struct weft_waitgroup wg;
		struct weft_once once;
		struct weft_ctx_func func;
	};
	uint64_t data[2];
	int result[LITMUS_ACTORS];
	uint32_t tag[LITMUS_ACTORS + 1];
};

struct litmus {
	const char *name; /* a_name_like_this */
	const char *what; /* in words */

	/* For one of a channel: how many of them, of which capacity, and what
	 * the implementation must declare. No channel: it is about the rest of
	 * the library. */
	unsigned chans;
	size_t cap;
	uint64_t needs;              /* as of a check, see suite.h */
	unsigned senders, receivers; /* at once; 0 = 1 */

	unsigned actors;
	void (*make)(
	        struct litmus_state *s); /* the channels are there; or NULL */
	void (*act[LITMUS_ACTORS])(struct litmus_state *s);
	uint32_t (*judge)(struct litmus_state *s);
	void (*end)(struct litmus_state *s); /* what make made; or NULL */
	struct litmus_outcome outcome[LITMUS_OUTCOMES];
};

/* Tables, each ended by one without a name. */
extern const struct litmus litmus_chan[], litmus_rest[];

/* The i-th of all; NULL past the last. */
const struct litmus *litmus_at(size_t i);

/* Whether it applies to channels of `impl`, which is NULL for a test without
 * one; if not, `why` says so. */
bool litmus_applies(const struct litmus *t, const struct weft_chan_impl *impl,
                    const char **why);

struct litmus_counts {
	uint64_t samples;
	uint64_t seen[LITMUS_OUTCOMES];
	uint64_t unlisted;
	uint32_t unlisted_code; /* the last of those */
};

/*
 * Run it for `ns`, and for one stride at least, in a child process that hangs
 * when a stride takes longer than `limit_ns`. As conform_run(), the caller must
 * not be a task. *child belongs to child_free(). Returns as child_run(), or
 * -ENOMEM.
 */
int litmus_run(const struct litmus *t, const struct weft_chan_impl *impl,
               uint64_t seed, int64_t ns, int64_t limit_ns,
               struct litmus_counts *counts, struct child *child);

/* Whether an outcome was seen that must not be. */
bool litmus_was_forbidden(const struct litmus *t,
                          const struct litmus_counts *counts);

/* How many of those that are required were not seen. */
unsigned litmus_unseen(const struct litmus *t,
                       const struct litmus_counts *counts);

/* `weft stress litmus`: argv[0] is "stress", argv[1] "litmus". Returns the exit
 * status. */
int litmus_main(int argc, char **argv);

#endif
