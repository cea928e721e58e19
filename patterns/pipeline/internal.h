/* What the files of the pipeline share. */
#ifndef WEFT_PATTERNS_PIPELINE_INTERNAL_H
#define WEFT_PATTERNS_PIPELINE_INTERNAL_H

#include <stdbool.h>

#include <weft/atomic.h>
#include <weft/sync.h>
#include <weft/task.h>

#include "common/order.h"
#include "common/watch.h"
#include "pipeline.h"
#include "tokens.h"

struct drop {
	void (*fn)(void *elem, void *arg);
	void *arg;
};

struct worker {
	/* Items so far; written by the worker, read by anyone. */
	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t in;
	_Atomic uint64_t out;

	/* The worker's own from here on. */
	struct stage *stage;
	struct weft_task *task;
	bool ended; /* returned; not set when the thread was ended */

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

	/* Workers that have not ended. */
	_Alignas(WEFT_CACHE_LINE) _Atomic unsigned left;
};

struct weft_pipeline {
	/* Constant once made. */
	size_t nstages, nworkers, batch, stack_bytes;
	bool drains; /* on failure */
	struct stage *stages;
	struct worker *workers;   /* of all stages, in order */
	struct weft_chan **chans; /* nstages + 1; chan i is before stage i */

	struct watch watch; /* of the context, whose end stops it */

	struct tokens tokens;
	struct weft_waitgroup running;

	/* 0, or why the pipeline was stopped. Set once, before the channels
	 * are closed: who finds one closed finds the reason here. */
	_Atomic int error;
	_Atomic bool through; /* a receiver was told that nothing is left */

	/* Channels 0 .. stopped are closed by a stop, and the stages behind
	 * them end at once. Only grows. */
	_Atomic size_t stopped;
};

/* Stop for `err`: the first `nchans` channels and the stages behind them. All
 * of them are nstages + 1. The first error stays, and so does it when
 * everything has gone through. */
void weft_pipeline_stop_for(struct weft_pipeline *p, int err, size_t nchans);

/* The life of a worker. */
int weft_pipeline_worker_main(void *worker);

#endif
