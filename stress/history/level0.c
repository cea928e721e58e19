/* Level 0: what needs no clock but that of deadlines. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <weft/time.h>

#include "stress/history/finding.h"

struct level0 {
	const struct history *h;
	const size_t *pair;
};

/* --- what a call may return --- */

static bool may_wait(const struct hist_op *op)
{
	return op->mode != HIST_TRY && op->mode != HIST_TRY_SELECT;
}

static bool bad_result(const struct history *h, size_t i,
                       struct hist_finding *f)
{
	const struct hist_op *op = &h->op[i];

	switch (op->result) {
	case 0:
	case -EPIPE:
		return false;
	case -ENOMEM:
		if (op->kind == HIST_SEND && h->spec.cap == SIZE_MAX)
			return false;
		break;
	case -EAGAIN:
		if (op->kind != HIST_CLOSE && !may_wait(op))
			return false;
		break;
	case -ETIMEDOUT:
		if (op->kind == HIST_CLOSE || !may_wait(op))
			break;
		if (op->deadline_ns == WEFT_FOREVER)
			return found(h, f, RULE_TIMEOUT_WITHOUT_DEADLINE, i,
			             HIST_NONE,
			             "%a timed out, and had no "
			             "deadline");
		if (op->res < op->deadline_ns)
			return found(h, f, RULE_EARLY_TIMEOUT, i, HIST_NONE,
			             "%a timed out before its deadline, which "
			             "was %d after it began");
		return false;
	}
	return found(h, f, RULE_BAD_RESULT, i, HIST_NONE,
	             "%a returned what such a call cannot");
}

static bool any_bad_result(const struct level0 *l, struct hist_finding *f)
{
	for (size_t i = 0; i < l->h->n; i++)
		if (!hist_is_pending(&l->h->op[i]) && bad_result(l->h, i, f))
			return true;
	return false;
}

static bool two_closes(const struct level0 *l, struct hist_finding *f)
{
	size_t first = HIST_NONE;

	for (size_t i = 0; i < l->h->n; i++) {
		if (l->h->op[i].kind != HIST_CLOSE ||
		    !hist_is_done(&l->h->op[i]))
			continue;
		if (first != HIST_NONE)
			return found(l->h, f, RULE_TWO_CLOSES, first, i,
			             "%a returned 0, and so did %b");
		first = i;
	}
	return false;
}

/* --- conservation --- */

static bool bad_receive(const struct level0 *l, size_t i,
                        struct hist_finding *f)
{
	size_t send = l->pair[i];
	const struct hist_op *op;

	if (send == HIST_NONE)
		return found(l->h, f, RULE_PHANTOM, i, HIST_NONE,
		             "%a received an element that nobody sent");
	op = &l->h->op[send];
	if (!hist_is_pending(op) && op->result != 0)
		return found(l->h, f, RULE_FAILED_SEND_DELIVERED, i, send,
		             "%a received an element whose send failed: %b");
	if (l->pair[send] != i)
		return found(l->h, f, RULE_DUPLICATE, i, l->pair[send],
		             "%a received what was received before: %b");
	return false;
}

static bool conservation(const struct level0 *l, struct hist_finding *f)
{
	for (size_t i = 0; i < l->h->n; i++) {
		const struct hist_op *op = &l->h->op[i];

		if (!hist_is_done(op))
			continue;
		if (op->kind == HIST_RECV && bad_receive(l, i, f))
			return true;
	}
	return false;
}

static bool lost(const struct level0 *l, struct hist_finding *f)
{
	for (size_t i = 0; i < l->h->n && l->h->drained; i++)
		if (l->h->op[i].kind == HIST_SEND &&
		    hist_is_done(&l->h->op[i]) && l->pair[i] == HIST_NONE)
			return found(l->h, f, RULE_LOST, i, HIST_NONE,
			             "%a succeeded, and nobody received its "
			             "element, although nothing is left "
			             "inside");
	return false;
}

/* --- order --- */

/* Each receiver sees each sender's elements in the order of the sends. */
static bool out_of_order(const struct level0 *l, struct hist_finding *f)
{
	size_t last[HIST_TASKS], receive[HIST_TASKS];
	unsigned task = HIST_TASKS;

	for (size_t i = 0; i < l->h->n; i++) {
		const struct hist_op *op = &l->h->op[i];
		unsigned sender;

		if (op->task != task)
			for (unsigned s = 0; s < HIST_TASKS; s++)
				last[s] = HIST_NONE;
		task = op->task;
		if (op->kind != HIST_RECV || !hist_is_done(op))
			continue;
		sender = l->h->op[l->pair[i]].task;
		if (last[sender] != HIST_NONE && last[sender] > l->pair[i])
			return found(l->h, f, RULE_SENDER_ORDER, i,
			             receive[sender],
			             "%a comes after %b, against the order in "
			             "which they were sent");
		last[sender] = l->pair[i];
		receive[sender] = i;
	}
	return false;
}

bool hist_level0(const struct history *h, struct hist_finding *f)
{
	size_t *pair = hist_pairs(h);
	struct level0 l = { .h = h, .pair = pair };
	bool bad = any_bad_result(&l, f) || two_closes(&l, f) ||
	           conservation(&l, f) || lost(&l, f) ||
	           (h->spec.order != HIST_NO_ORDER && out_of_order(&l, f));

	free(pair);
	return bad;
}
