/* campaign: everything that there is against one channel of a user's. */
#ifndef STRESS_SOURCE_CAMPAIGN_H
#define STRESS_SOURCE_CAMPAIGN_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/args.h"
#include "stress/source/source.h"

struct campaign {
	/* By campaign_option(). */
	bool asked; /* one of these was given */
	bool full;
	int64_t ns; /* of it all; 0 = as the tier has it */
	bool keep_going;

	/* By its caller. A path that is not that of a source is a shared
	 * object, of which there is no other build. */
	struct source source;
	uint64_t seed;
	const char *only; /* as that of `weft check`; then there is no stress */
	int64_t time_limit_ns; /* 0 = as the tier has it */
};

/* Take an option that is one of --tier, --seconds and --keep-going. */
int campaign_option(struct campaign *c, const struct arg *arg, bool *taken);

/* Returns the exit status: 0, or 1 when something was found or not tried. */
int campaign_run(struct campaign *c);

#endif
