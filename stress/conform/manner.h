/* manner: how a channel waits, found out and not taken for granted. */
#ifndef STRESS_CONFORM_MANNER_H
#define STRESS_CONFORM_MANNER_H

#include <stdbool.h>

#include <weft/chan_impl.h>

/*
 * Whether its waits are waits of weft's: they park, so that a manual clock can
 * tell when all of them wait, and end when they are served, without time having
 * to pass. One that naps and looks again, spins or blocks its thread does not,
 * and is as good a channel.
 *
 * Tried in a child process; as conform_run(), the caller must not be a task.
 */
bool manner_is_to_park(const struct weft_chan_impl *impl);

#endif
