#include "stress/conform/ledger.h"

#include <stdlib.h>

#include "stress/conform/suite.h"

/* An entry: how its send ended, and how often it was received. */
enum {
	SENT = 1,
	NOT_SENT = 2,
	RECEIVED = 4,
};

void ledger_init(struct ledger *l, unsigned senders, uint32_t each)
{
	l->senders = senders;
	l->each = each;
	NEED_MEMORY(l->entry = calloc((size_t)senders * each + 1,
	                              sizeof(*l->entry)));
}

void ledger_fini(struct ledger *l)
{
	free((void *)l->entry);
	l->entry = NULL;
}

static unsigned sender_of(uint32_t tag)
{
	return tag >> 24;
}

static uint32_t seq_of(uint32_t tag)
{
	return tag & (LEDGER_EACH - 1);
}

static _Atomic uint8_t *entry_of(struct ledger *l, uint32_t tag)
{
	return &l->entry[(size_t)sender_of(tag) * l->each + seq_of(tag)];
}

void ledger_sent(struct ledger *l, uint32_t tag, bool ok)
{
	weft_fetch_add_relaxed(entry_of(l, tag),
	                       (uint8_t)(ok ? SENT : NOT_SENT));
}

void ledger_received(struct ledger *l, uint32_t tag, struct ledger_order *order)
{
	unsigned sender = sender_of(tag);
	uint32_t seq = seq_of(tag);
	uint8_t was;

	REQUIRE(sender < l->senders && seq < l->each,
	        "received an element that nobody sent (tag %#x)", tag);
	was = weft_fetch_add_relaxed(entry_of(l, tag), (uint8_t)RECEIVED);
	/* A slow channel or machine is no hang as long as it goes on. */
	if (seq % 32 == 0)
		vital_goes_on();
	REQUIRE(was < RECEIVED, "element %u of sender %u was received twice",
	        seq, sender);
	REQUIRE(!(was & NOT_SENT),
	        "element %u of sender %u was received, though its send failed",
	        seq, sender);
	if (!order)
		return;
	REQUIRE(seq >= order->next[sender],
	        "element %u of sender %u was received after its element %u",
	        seq, sender, order->next[sender] - 1);
	order->next[sender] = seq + 1;
}

void ledger_close(struct ledger *l)
{
	for (unsigned sender = 0; sender < l->senders; sender++)
		for (uint32_t seq = 0; seq < l->each; seq++) {
			uint8_t is = weft_load_relaxed(
			        entry_of(l, ledger_tag(sender, seq)));

			REQUIRE(is != SENT,
			        "element %u of sender %u was lost: its send "
			        "returned 0, and nobody received it",
			        seq, sender);
			REQUIRE(!(is & NOT_SENT) || is == NOT_SENT,
			        "element %u of sender %u was received, though "
			        "its send failed",
			        seq, sender);
		}
}
