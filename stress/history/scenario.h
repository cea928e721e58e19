/*
 * scenario: a few tasks that make a few calls each on a new channel, all of it
 * put down and judged; and long ones.
 *
 * What is called follows from a seed: which tasks send and receive, how each
 * call is made, with which deadline, and whether and when one closes. What
 * comes of it does not. So that none blocks itself, the first task closes the
 * channel when all that have not ended wait for what cannot come any more; when
 * they wait although it is there, and do so for seconds, that is a finding too.
 */
#ifndef STRESS_HISTORY_SCENARIO_H
#define STRESS_HISTORY_SCENARIO_H

#include "base/rng.h"
#include "stress/conform/suite.h"
#include "stress/history/history.h"

struct scenarios {
	const struct weft_chan_impl *impl;
	size_t cap, elem;
	enum weft_wait wait;
	struct rng rng;

	unsigned closes;   /* of 8 scenarios, how many have closes in them */
	unsigned count;    /* how many scenarios, at most */
	int64_t until_ns;  /* no other is begun after that */
	const char *again; /* what repeats it, for a finding; may be NULL */

	/* Received. */
	uint64_t done;  /* scenarios */
	uint64_t calls; /* in them */
};

/* Run them, as a task of a run. A finding ends the process, with the calls
 * printed and what is wrong with them in the last line. */
void scenarios_run(struct scenarios *s);

/* One long scenario of up to 3 senders that send `each`, judged by levels 0 and
 * 1 only. */
void scenario_run_long(struct scenarios *s, unsigned each);

/* Scenarios for `weft stress history`: everything from the seed. Returns how
 * many calls were made. */
uint64_t history_run(const struct weft_chan_impl *impl, uint64_t seed);

#endif
