/*
 * traffic: senders and receivers over one channel until everything is through,
 * with the ledger closed at the end.
 */
#ifndef STRESS_CONFORM_TRAFFIC_H
#define STRESS_CONFORM_TRAFFIC_H

#include "stress/conform/ledger.h"
#include "stress/conform/suite.h"

/* Ways to send one element, and to receive one. */
enum way {
	WAY_PLAIN,      /* without a deadline */
	WAY_TRY,        /* try until it succeeds */
	WAY_TIMED,      /* with short deadlines, until it succeeds */
	WAY_MANY,       /* in batches of up to 5 */
	WAY_SELECT,     /* by select, beside a NULL case */
	WAY_TRY_SELECT, /* by selects that do not wait, until one succeeds */
	WAYS,
};

struct traffic {
	const struct cell *cell;
	unsigned senders, receivers; /* up to 64 */
	uint32_t each;               /* elements of each sender */
	enum way send_by, recv_by;
	bool order; /* see to each sender's order */
	bool look;  /* len must never be above cap */

	/* The rest is the traffic's own. */
	struct weft_chan *c;
	struct ledger ledger;
	_Atomic unsigned next_sender;
	_Atomic bool done;
};

/* Run it, on a channel as the cell says. */
void traffic_run(struct traffic *t);

/* Send, or receive, one element or a batch in that way. Returns what the last
 * call returned: 0, -EPIPE, or what a sender without space gets. */
int way_send(enum way way, struct weft_chan *c, const uint32_t *tags, size_t n);
int way_recv(enum way way, struct weft_chan *c, uint32_t *tags, size_t *n);

/* The most that one of the two moves at a time. */
#define WAY_BATCH 5

/* Whether the two ways can meet: on capacity 0, one of them must wait. */
bool ways_meet(const struct cell *cell, enum way send_by, enum way recv_by);

#endif
