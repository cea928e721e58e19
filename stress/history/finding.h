/* finding: the rules of levels 0 and 1, and how a breach of one is told. */
#ifndef STRESS_HISTORY_FINDING_H
#define STRESS_HISTORY_FINDING_H

#include "stress/history/history.h"

enum rule {
	/* level 0 */
	RULE_BAD_RESULT,
	RULE_TIMEOUT_WITHOUT_DEADLINE,
	RULE_EARLY_TIMEOUT,
	RULE_TWO_CLOSES,
	RULE_PHANTOM,
	RULE_FAILED_SEND_DELIVERED,
	RULE_DUPLICATE,
	RULE_LOST,
	RULE_SENDER_ORDER,

	/* level 1: elements */
	RULE_RECEIVED_BEFORE_SENT,
	RULE_SENT_BEFORE_RECEIVED, /* at capacity 0 */
	RULE_OVERTAKEN,
	RULE_OVER_CAPACITY,
	RULE_EMPTY_WITH_ELEMENT,
	RULE_FULL_WITH_ROOM,

	/* level 1: close */
	RULE_SENT_AFTER_CLOSE,
	RULE_MET_AFTER_CLOSE, /* at capacity 0 */
	RULE_REFUSED_AFTER_CLOSE,
	RULE_ENDED_BEFORE_CLOSE,
	RULE_CLOSED_BEFORE_CLOSE,
	RULE_ENDED_WITH_ELEMENT,
	RULE_ELEMENT_AFTER_END,

	/* level 1: calls that wait for good */
	RULE_ASLEEP_AFTER_CLOSE,
	RULE_RECV_ASLEEP,
	RULE_SEND_ASLEEP,
	RULE_PAIR_ASLEEP,

	RULES,
};

/*
 * Fill in the finding; returns true. In `format`, %a and %b stand for the two
 * calls with their task, element and times, %d for how long after its begin the
 * deadline of the first is.
 */
bool found(const struct history *h, struct hist_finding *f, enum rule rule,
           size_t a, size_t b, const char *format);

#endif
