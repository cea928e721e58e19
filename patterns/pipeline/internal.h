/* What the files of the pipeline share. pipeline.c calls the others, and they
 * do not call it. */
#ifndef WEFT_PATTERNS_PIPELINE_INTERNAL_H
#define WEFT_PATTERNS_PIPELINE_INTERNAL_H

#include <stdbool.h>

#include <weft/atomic.h>

#include "common/crew.h"
#include "common/ending.h"
#include "common/order.h"
#include "pipeline.h"
#include "tokens.h"

struct drop {
	void (*fn)(void *elem, void *drop_arg);
	void *arg;
};

struct worker {
	_Alignas(WEFT_CACHE_LINE) struct weft_crew_member member;

	/* Items so far; written by the worker, read by anyone. */
	_Atomic uint64_t in, out;

	/* The worker's own from here on. */
	struct stage *stage;

	/* Items taken[next .. ntaken) have not been given to the function,
	 * made[sent .. nmade) have not been passed on. */
	unsigned char *taken, *made;
	size_t ntaken, next, nmade, sent;
	uint64_t ticket; /* of what was taken, in an ordered stage */
};

struct stage {
	/* Constant once made. */
	struct weft_pipeline *p;
	size_t index;
	struct weft_stage is;
	char name[32];
	struct weft_chan *from, *to;
	size_t in_size, out_size;
	struct drop drop_in, drop_out;
	struct order *order; /* of an ordered stage of several workers */
	struct worker *workers;

	struct weft_crew crew; /* of the workers; its end closes `to` */
};

struct weft_pipeline {
	/* Constant once made. */
	size_t nstages, nworkers, batch;
	enum weft_wait wait;
	bool drains; /* on failure */
	struct stage *stages;
	struct worker *workers;   /* of all stages, in order */
	struct weft_chan **chans; /* nstages + 1; chan i is before stage i */

	struct weft_ending end;
	struct tokens tokens;
	_Atomic bool through; /* a receiver was told that nothing is left */

	/* Channels 0 .. stopped are closed by a stop, and the stages behind
	 * them end at once. Only grows. */
	_Atomic size_t stopped;
};

/* Stop what is behind and between the first n channels; nstages + 1 are all.
 * The reason is set before. */
void weft_pipeline_cut(struct weft_pipeline *p, size_t n);

/* Start the stage's workers. As weft_crew_start(). */
int weft_pipeline_start(struct stage *s, size_t stack_bytes);

#endif
