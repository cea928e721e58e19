/* Recording of histories, and what all of their checkers ask. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft/atomic.h>
#include <weft/task.h>

#include "base/check.h"
#include "stress/conform/suite.h"
#include "stress/history/history.h"

/*
 * The clock read of x86 waits for what is before it, the exchange below
 * included, and the exchange waits for the clock read whose result it stores.
 * Elsewhere a read may drift by as much as an instruction waits for memory,
 * which this is more than.
 */
#if defined(__x86_64__)
#define SLACK 0
#else
#define SLACK WEFT_US
#endif

void *hist_alloc(size_t n, size_t size)
{
	void *memory;

	NEED_MEMORY(memory = calloc(n + 1, size));
	return memory;
}

void hist_log_init(struct hist_log *log, unsigned task, size_t room)
{
	*log = (struct hist_log){ .task = task, .room = room };
	log->op = hist_alloc(room, sizeof(*log->op));
}

void hist_log_fini(struct hist_log *log)
{
	free(log->op);
	log->op = NULL;
}

uint64_t hist_log_value(struct hist_log *log)
{
	return hist_value(log->task, log->values++);
}

struct hist_op *hist_begin(struct hist_log *log, enum hist_kind kind,
                           enum hist_mode mode, uint64_t value,
                           int64_t deadline_ns)
{
	struct hist_op *op = &log->op[log->n];

	CHECK_LT(log->n, log->room);
	log->n++;
	*op = (struct hist_op){ .res = HIST_PENDING,
		                .deadline_ns = deadline_ns,
		                .value = value,
		                .task = (uint16_t)log->task,
		                .kind = (uint8_t)kind,
		                .mode = (uint8_t)mode };
	op->inv = weft_now();
	/* Nothing of the call is seen before the clock was read. */
	weft_xchg_seq_cst(&log->fence, op->inv);
	return op;
}

void hist_end(struct hist_log *log, struct hist_op *op, int result)
{
	/* All that the call wrote is seen before the clock is read: it may
	 * still be in this CPU's store buffer, where another CPU's call that
	 * begins later would miss it. */
	weft_fetch_add_seq_cst(&log->fence, 1);
	op->res = weft_now() + SLACK;
	op->result = result;
}

void hist_more(struct hist_log *log, uint64_t value, int result)
{
	CHECK_LT(log->n, log->room);
	CHECK_LT((size_t)0, log->n);
	log->op[log->n] = log->op[log->n - 1];
	log->op[log->n].value = value;
	log->op[log->n].result = result;
	log->n++;
}

void hist_join(struct history *h, const struct hist_log *log, unsigned logs)
{
	h->n = 0;
	for (unsigned i = 0; i < logs; i++) {
		if (log[i].n)
			memcpy(h->op + h->n, log[i].op,
			       log[i].n * sizeof(*h->op));
		h->n += log[i].n;
	}
}

/* --- what the checkers ask --- */

struct hist_spec hist_spec_of(const struct weft_chan_impl *impl, size_t cap)
{
	struct hist_spec spec = { .cap = cap,
		                  .exact = impl->can & WEFT_CAN_LEN };

	if (impl->can & WEFT_CAN_FIFO)
		spec.order = HIST_FIFO;
	else if (impl->can & WEFT_CAN_PRODUCER_FIFO)
		spec.order = HIST_SENDER_ORDER;
	return spec;
}

bool hist_is_refused(const struct hist_op *op)
{
	return !hist_is_pending(op) &&
	       (op->result == -EAGAIN || op->result == -ETIMEDOUT);
}

bool hist_is_ended(const struct hist_op *op)
{
	return !hist_is_pending(op) && op->result == -EPIPE;
}

/* Where the send of that value is, or is to be put. */
static size_t find(const struct history *h, const size_t *table, size_t mask,
                   uint64_t value)
{
	size_t at = (size_t)((value * UINT64_C(0x9e3779b97f4a7c15)) >> 20);

	for (at &= mask; table[at] != HIST_NONE; at = (at + 1) & mask)
		if (h->op[table[at]].value == value)
			break;
	return at;
}

size_t *hist_pairs(const struct history *h)
{
	size_t mask = 15, *table, *pair = hist_alloc(h->n, sizeof(*pair));

	while (mask < 2 * h->n)
		mask = 2 * mask + 1;
	table = hist_alloc(mask, sizeof(*table));
	memset(table, 0xff, (mask + 1) * sizeof(*table));
	for (size_t i = 0; i < h->n; i++) {
		size_t *at;

		pair[i] = HIST_NONE;
		if (h->op[i].kind != HIST_SEND)
			continue;
		at = &table[find(h, table, mask, h->op[i].value)];
		*at = *at == HIST_NONE ? i : *at;
	}
	for (size_t i = 0; i < h->n; i++) {
		size_t send;

		if (h->op[i].kind != HIST_RECV || !hist_is_done(&h->op[i]))
			continue;
		send = table[find(h, table, mask, h->op[i].value)];
		pair[i] = send;
		if (send != HIST_NONE && pair[send] == HIST_NONE)
			pair[send] = i;
	}
	free(table);
	return pair;
}

bool hist_judge(const struct history *h, struct hist_finding *f)
{
	if (hist_level0(h, f) || hist_level1(h, f))
		return true;
	if (hist_level2(h, HIST_BUDGET) != HIST_IMPOSSIBLE)
		return false;
	*f = (struct hist_finding){ .rule = "no_order",
		                    .op = { HIST_NONE, HIST_NONE },
		                    .text = "there is no order in which these "
		                            "calls, one after the other, "
		                            "answer like that" };
	return true;
}
