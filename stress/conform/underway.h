/*
 * underway: which calls on channels are under way, for the report on a hang.
 *
 * Each task notes its call before it makes it and when it returns; there is no
 * lock and nothing shared between tasks, so that a race is not slowed down. The
 * report is printed by a thread that is no task, while all of them hang.
 */
#ifndef STRESS_CONFORM_UNDERWAY_H
#define STRESS_CONFORM_UNDERWAY_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <weft/chan.h>

/* The calling task begins `what`, a constant string such as "recv", on c, and
 * what it returns has moved so many elements one way or the other. */
void underway_begin(struct weft_chan *c, const char *what, int64_t deadline_ns);
void underway_end(size_t sent, size_t received);

/* The same of a call that is to return at once and moves nothing, such as
 * "len"; ends by underway_end(0, 0). c is NULL while there is none yet. */
void underway_plain(const struct weft_chan *c, const char *what);

/* c is new, or was closed. */
void underway_new(const struct weft_chan *c);
void underway_closed(const struct weft_chan *c);

/*
 * Print the calls that wait and those that are to return at once and do not,
 * the channels that they wait on, and what that looks like: lines that begin
 * with UNDERWAY_LIKELY, if anything. Asks the channels for their len, last,
 * since one that hangs may hang there too; not a channel of which it is known.
 */
void underway_print(FILE *to);

#define UNDERWAY_LIKELY "likely: "

#endif
