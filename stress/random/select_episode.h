/*
 * select_episode: one short, random history of selects over several channels.
 *
 * As episode.h has it for one channel, everything follows from a seed: which
 * implementations, with which capacities, element sizes and wait policies;
 * which tasks send and receive where, by calls, selects or both; with which
 * deadlines; whether contexts are cancelled and wake-ups come for no reason;
 * and what is closed before its time.
 *
 * What must hold is in stress/conform/mesh.h.
 */
#ifndef STRESS_RANDOM_SELECT_EPISODE_H
#define STRESS_RANDOM_SELECT_EPISODE_H

#include <stdbool.h>
#include <stdint.h>

#include <weft/chan_impl.h>

/* Whether episodes can be made with channels of `impl`; if not, *why says
 * so. */
bool select_episode_applies(const struct weft_chan_impl *impl,
                            const char **why);

/* Run one with at least one channel of `impl`, in a child process. Returns how
 * many elements were sent. */
uint64_t select_episode_run(const struct weft_chan_impl *impl, uint64_t seed);

#endif
