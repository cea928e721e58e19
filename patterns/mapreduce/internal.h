/* What the files of the mapreduce share. */
#ifndef WEFT_PATTERNS_MAPREDUCE_INTERNAL_H
#define WEFT_PATTERNS_MAPREDUCE_INTERNAL_H

#include <stdint.h>

#include <weft/sync.h>

#include "common/count.h"
#include "common/crew.h"
#include "common/ending.h"
#include "common/order.h"
#include "mapreduce.h"
#include "table.h"

/* A result, with what most comparisons need. */
struct result {
	uint64_t prefix; /* the first bytes of its key, as a number */
	struct weft_mapreduce_pair pair;
};

/* Results one behind the other. */
struct results {
	struct result *at;
	size_t n;
};

/* What its reducer has made of a partition; of nobody else until it is ready.
 */
struct partition {
	struct results results;
	unsigned char *outs; /* what reduce() has written */
};

struct weft_mapreduce_worker {
	struct weft_crew_member member;
	struct weft_mapreduce *m;

	unsigned char *elem;  /* the input that was taken */
	struct table *tables; /* its own or everybody's, one per partition */
	struct weft_lock
	        *holds; /* of a shared one, while a pair is put there */

	/* Of a fold: the value that map() has emitted. */
	unsigned char *value;
	size_t nvalues;

	/* Of a reducer: the values of one key. */
	unsigned char *values;
	size_t room; /* bytes */

	/* Written by its task. */
	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t inputs, emitted, held;
	_Atomic uint64_t keys, results;
	_Atomic int64_t first_ns, last_ns; /* of its mapping */
	_Atomic int64_t shuffle_ns, reduce_ns, sort_ns;
};

struct weft_mapreduce {
	/* Constant once made. */
	struct weft_mapreduce_opts opts;
	struct table_kind kind;
	struct weft_chan *in;
	/* That map, that reduce, or both. */
	struct weft_mapreduce_worker *workers;
	unsigned nworkers;
	struct table *tables; /* `owners` times one per partition */
	unsigned owners;      /* workers, or 1 where they share */
	struct weft_lock *locks;
	struct partition *partitions;
	struct order *order; /* of a fold */
	unsigned char *acc;

	struct weft_ending end;
	struct weft_crew crew;

	/* Workers that may still map. */
	_Alignas(WEFT_CACHE_LINE) _Atomic unsigned mapping;
	struct weft_waiters mapped; /* for that to be 0 */

	/* Partitions that no reducer has taken, and that are not reduced. */
	_Alignas(WEFT_CACHE_LINE) _Atomic unsigned next;
	_Atomic unsigned unreduced;

	/*
	 * What comes out: runs of results, in the order in which they became
	 * ready. A run is a partition; all of them, merged; or the result of a
	 * fold.
	 */
	unsigned nruns;
	_Atomic(struct results *) *ready; /* NULL until then */
	_Atomic unsigned nready;          /* places that were given out */
	struct results whole;             /* not a partition's */
	struct result fold_result;
	_Atomic int64_t merge_ns;
	struct weft_waiters results;

	/* Where the next to be received is: a run, and a place in it. */
	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t cursor;
	_Atomic uint64_t received;
};

/* Take inputs until there are none. Whether to go on with reducing. */
bool weft_mapreduce_map_all(struct weft_mapreduce_worker *w);

/* Take partitions until there are none. */
void weft_mapreduce_reduce_all(struct weft_mapreduce_worker *w);

/* A run has become ready. */
void weft_mapreduce_ready(struct weft_mapreduce *m, struct results *run);

#endif
