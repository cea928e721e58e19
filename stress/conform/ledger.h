/*
 * ledger: what became of every element.
 *
 * Each sender numbers its elements from 0 and notes, after each send, whether
 * it succeeded; the receiver of an element notes that. An element may be
 * received before its send returns. At the end every element whose send
 * succeeded must have been received once, and no other at all.
 */
#ifndef STRESS_CONFORM_LEDGER_H
#define STRESS_CONFORM_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/atomic.h>

/* Senders and elements of each fit into a tag of 32 bits. */
#define LEDGER_SENDERS 64
#define LEDGER_EACH (1u << 24)

struct ledger {
	unsigned senders;
	uint32_t each; /* elements of each sender, at most */
	_Atomic uint8_t *entry;
};

/* Receivers keep one each, to see each sender's order. */
struct ledger_order {
	uint32_t next[LEDGER_SENDERS];
};

/* Ends the check, untried, when the machine has no memory for it. */
void ledger_init(struct ledger *l, unsigned senders, uint32_t each);
void ledger_fini(struct ledger *l);

static inline uint32_t ledger_tag(unsigned sender, uint32_t seq)
{
	return (uint32_t)sender << 24 | seq;
}

/* The send of that element returned; `ok` when it succeeded. */
void ledger_sent(struct ledger *l, uint32_t tag, bool ok);

/*
 * That element was received. `order` is the receiver's own, NULL when no order
 * is promised. Fails the check when it was never sent, was received before, or
 * is out of its sender's order.
 */
void ledger_received(struct ledger *l, uint32_t tag,
                     struct ledger_order *order);

/* Everything has been received that ever will be. Fails the check when
 * something was lost, or delivered though its send failed. */
void ledger_close(struct ledger *l);

#endif
