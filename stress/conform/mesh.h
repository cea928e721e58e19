/*
 * mesh: tasks that call and select over several channels until everything is
 * through, with the ledger closed at the end.
 *
 * Each task may send on some of the channels and receive from some. It goes on
 * until it has tried to send what it is to send, and until every channel that
 * it receives from is closed and drained. A channel that ended becomes a NULL
 * case of its selects.
 *
 * A mesh cannot block itself: a wait without a deadline takes in all that its
 * task receives from, and something to send as long as that is to be done. So
 * each sender of a channel needs a receiver that stays, other than itself; what
 * then hangs is a lost wake-up.
 *
 * What must hold: an element whose send succeeded is received once, every other
 * never; each sender's order on each channel, where that is kept; no deadline
 * comes early, and no end of a context before it; nothing is sent after a
 * close; nothing is left registered; and unless somebody closes before, all
 * that was sent is received before the close that could repair a lost wake-up.
 */
#ifndef STRESS_CONFORM_MESH_H
#define STRESS_CONFORM_MESH_H

#include <weft/ctx.h>
#include <weft/sync.h>

#include "stress/conform/ledger.h"
#include "stress/conform/suite.h"

#define MESH_CHANS 4
#define MESH_TASKS 12
#define MESH_CTXS 2

/* How often, of 8, an operation is a select; and of each kind of operation, how
 * often it only tries, or has a deadline. */
struct mesh_habits {
	unsigned selects, tries, timed;
	unsigned window; /* of deadlines, in microseconds */
};

struct mesh_chan {
	struct weft_chan *c;
	bool ordered;
	bool timed;     /* it honours deadlines */
	bool early;     /* an outsider closes it, after so many turns */
	uint32_t turns; /* of the outsider */

	/* The mesh's own. */
	_Atomic bool closing, closed;
};

struct mesh_task {
	unsigned sends, receives; /* bits: which channels */
	uint32_t each;            /* elements that it tries to send */
	uint32_t leaves; /* after so many operations, though it could go on;
	                  * 0: it stays */
	struct mesh_habits habits;

	/* The mesh's own. */
	struct mesh *mesh;
	unsigned id;
	uint32_t next; /* element */
	struct ledger_order order[MESH_CHANS];
	struct weft_task *task;
	_Atomic int thread;
};

struct mesh {
	struct mesh_chan chan[MESH_CHANS];
	struct mesh_task task[MESH_TASKS];
	unsigned chans, tasks;
	bool storm; /* wake-ups and signals for no reason, all the time */
	/* Some operations have a context that they share with others, and that
	 * somebody cancels, or that has a deadline. */
	bool cancels;

	/* The mesh's own. */
	struct weft_lock lock;
	struct weft_ctx *ctx[MESH_CTXS]; /* guarded by the lock */
	struct ledger ledger;
	struct weft_waitgroup sending;
	_Atomic uint64_t sent, received;
	_Atomic bool over;
};

/* Run it; the channels are the mesh's, which gives them back. Returns how many
 * elements were sent. */
uint64_t mesh_run(struct mesh *m);

#endif
