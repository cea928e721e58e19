/*
 * place: on which CPUs the tasks of a cell run, the knob `placement` that every
 * pattern has.
 *
 *	free   wherever the system puts them
 *	same   all of them on one CPU
 *	apart  each on one CPU: they are dealt to those that are allowed, one
 *	       hardware thread of each core first
 *	auto   apart; free where there is one CPU, or where a quota pays for
 *	       less than the tasks could use
 *
 * Where two tasks that wake each other may be on one CPU or on two, a cell has
 * two speeds, and which of them is seen is a matter of luck.
 */
#ifndef WEFT_PATTERNS_KERNEL_PLACE_H
#define WEFT_PATTERNS_KERNEL_PLACE_H

#include "kernel/pattern.h"

enum placement {
	PLACE_AUTO,
	PLACE_FREE,
	PLACE_SAME,
	PLACE_APART,
};

extern const char *const kernel_placements[];

/* Whether this machine can place them so. 0, or -EINVAL with one line in `why`
 * that names the value and what is allowed. */
int place_accepts(const struct params *p, struct text *why);

/* What the knob comes to for a cell that is accepted; never PLACE_AUTO. */
enum placement place_of(const struct params *p);

/* How many CPUs its tasks have. */
unsigned place_cpus(const struct params *p);

/* Place the tasks that the run of the caller spawns from now on, until
 * place_end(). 0 or -ENOMEM. */
int place_begin(const struct params *p);
void place_end(void);

#endif
