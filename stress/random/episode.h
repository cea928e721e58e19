/*
 * episode: one short, random history of a channel, checked to the last
 * element.
 *
 * Everything about it follows from a seed: capacity, element size, wait
 * policy, how many tasks, what each of them calls with which deadline, and
 * which task closes the channel and when. What the tasks do to each other does
 * not: the same episode takes another course each time.
 *
 * What must hold, whatever the course: an element whose send succeeded is
 * received once or is still inside at the end, every other one never appears;
 * each sender's order, where declared; nothing times out early; exactly one
 * close succeeds, and after it nothing is sent; and where only the end of the
 * senders closes, all they sent is received before that.
 */
#ifndef STRESS_RANDOM_EPISODE_H
#define STRESS_RANDOM_EPISODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/chan_impl.h>

#include "base/rng.h"

/* Whether episodes can be made for `impl`; if not, *why says so. */
bool episode_applies(const struct weft_chan_impl *impl, const char **why);

/* Run one, in a child process of stress/conform/supervise.h: what does not
 * hold ends it. Returns how many elements were sent. */
uint64_t episode_run(const struct weft_chan_impl *impl, uint64_t seed);

/* For other kinds of episodes: a capacity that `impl` takes, and a size of
 * elements with room for a tag. */
size_t episode_pick_cap(struct rng *rng, const struct weft_chan_impl *impl);
size_t episode_pick_elem(struct rng *rng, const struct weft_chan_impl *impl,
                         size_t cap);

#endif
