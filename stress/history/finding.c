/* How findings and histories are told. */
#include "stress/history/finding.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stress/conform/suite.h"

static const char *const names[RULES] = {
	[RULE_BAD_RESULT] = "bad_result",
	[RULE_TIMEOUT_WITHOUT_DEADLINE] = "timeout_without_deadline",
	[RULE_EARLY_TIMEOUT] = "early_timeout",
	[RULE_TWO_CLOSES] = "two_closes",
	[RULE_PHANTOM] = "phantom",
	[RULE_FAILED_SEND_DELIVERED] = "failed_send_delivered",
	[RULE_DUPLICATE] = "duplicate",
	[RULE_LOST] = "lost",
	[RULE_SENDER_ORDER] = "sender_order",
	[RULE_RECEIVED_BEFORE_SENT] = "received_before_sent",
	[RULE_SENT_BEFORE_RECEIVED] = "sent_before_received",
	[RULE_OVERTAKEN] = "overtaken",
	[RULE_OVER_CAPACITY] = "over_capacity",
	[RULE_EMPTY_WITH_ELEMENT] = "empty_with_element",
	[RULE_FULL_WITH_ROOM] = "full_with_room",
	[RULE_SENT_AFTER_CLOSE] = "sent_after_close",
	[RULE_MET_AFTER_CLOSE] = "met_after_close",
	[RULE_REFUSED_AFTER_CLOSE] = "refused_after_close",
	[RULE_ENDED_BEFORE_CLOSE] = "ended_before_close",
	[RULE_CLOSED_BEFORE_CLOSE] = "closed_before_close",
	[RULE_ENDED_WITH_ELEMENT] = "ended_with_element",
	[RULE_ELEMENT_AFTER_END] = "element_after_end",
	[RULE_ASLEEP_AFTER_CLOSE] = "asleep_after_close",
	[RULE_RECV_ASLEEP] = "recv_asleep",
	[RULE_SEND_ASLEEP] = "send_asleep",
	[RULE_PAIR_ASLEEP] = "pair_asleep",
};

const char *hist_rule(size_t i)
{
	return i < RULES ? names[i] : NULL;
}

const char *hist_value_name(uint64_t value, char *text, size_t bytes)
{
	snprintf(text, bytes, "%" PRIu64 ".%" PRIu64, value >> 24,
	         value & 0xffffff);
	return text;
}

static int64_t origin(const struct history *h)
{
	int64_t at = INT64_MAX;

	for (size_t i = 0; i < h->n; i++)
		at = h->op[i].inv < at ? h->op[i].inv : at;
	return at;
}

static const char *verb(const struct hist_op *op)
{
	static const char *const names_of[HIST_MODES][2] = {
		[HIST_PLAIN] = { "send", "recv" },
		[HIST_TRY] = { "try_send", "try_recv" },
		[HIST_TIMED] = { "timed send", "timed recv" },
		[HIST_BATCH] = { "send_many", "recv_many" },
		[HIST_SELECT] = { "select send", "select recv" },
		[HIST_TRY_SELECT] = { "select send now", "select recv now" },
		[HIST_TIMED_SELECT] = { "timed select send",
		                        "timed select recv" },
	};

	return op->kind == HIST_CLOSE ? "close" : names_of[op->mode][op->kind];
}

/* "try_recv 1.17" and what it returned. */
static void say_call(const struct hist_op *op, char *text, size_t bytes)
{
	char value[40] = "";

	if (op->kind == HIST_SEND ||
	    (op->kind == HIST_RECV && hist_is_done(op)))
		hist_value_name(op->value, value, sizeof(value));
	snprintf(text, bytes, "%s%s%s -> %s", verb(op), *value ? " " : "",
	         value,
	         hist_is_pending(op) ? "(waits)" : code_name(op->result));
}

static void say_op(const struct history *h, size_t i, char *text, size_t bytes)
{
	const struct hist_op *op;
	char call[120];
	int64_t from;

	if (i == HIST_NONE) {
		snprintf(text, bytes, "no call");
		return;
	}
	op = &h->op[i];
	from = origin(h);
	say_call(op, call, sizeof(call));
	if (hist_is_pending(op))
		snprintf(text, bytes, "task %u's %s (since %.3f us)", op->task,
		         call, (double)(op->inv - from) / 1e3);
	else
		snprintf(text, bytes, "task %u's %s (%.3f to %.3f us)",
		         op->task, call, (double)(op->inv - from) / 1e3,
		         (double)(op->res - from) / 1e3);
}

static void say_deadline(const struct history *h, size_t i, char *text,
                         size_t bytes)
{
	snprintf(text, bytes, "%.3f us",
	         (double)(h->op[i].deadline_ns - h->op[i].inv) / 1e3);
}

bool found(const struct history *h, struct hist_finding *f, enum rule rule,
           size_t a, size_t b, const char *format)
{
	char word[200];
	size_t used = 0;

	*f = (struct hist_finding){ .rule = names[rule], .op = { a, b } };
	for (const char *at = format; *at && used + 1 < sizeof(f->text); at++) {
		if (*at != '%') {
			f->text[used++] = *at;
			continue;
		}
		at++;
		if (*at == 'd')
			say_deadline(h, a, word, sizeof(word));
		else
			say_op(h, *at == 'a' ? a : b, word, sizeof(word));
		used += (size_t)snprintf(f->text + used, sizeof(f->text) - used,
		                         "%s", word);
	}
	return true;
}

void hist_name_calls(const struct history *h, struct hist_finding *f)
{
	size_t used = 0, i = 0;
	char call[200];

	for (; i < h->n && used + sizeof(call) < sizeof(f->text); i++) {
		say_op(h, i, call, sizeof(call));
		used += (size_t)snprintf(f->text + used, sizeof(f->text) - used,
		                         "%s%s", i ? ", " : "", call);
	}
	snprintf(f->text + used, sizeof(f->text) - used,
	         "%s: no order of them explains that",
	         i < h->n ? ", and more" : "");
}

/* --- the table --- */

/* Columns that the bars may take; with more times than that there are none. */
#define BARS 60

/* A call of a history, to be sorted. */
struct line {
	const struct hist_op *op;
	size_t number;
};

static int by_begin(const void *a, const void *b)
{
	const struct line *p = a, *q = b;

	if (p->op->inv != q->op->inv)
		return p->op->inv < q->op->inv ? -1 : 1;
	return p->number < q->number ? -1 : p->number > q->number;
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* All times that occur, each once, sorted. Returns how many. */
static size_t gather_times(const struct history *h, int64_t *at)
{
	size_t n = 0, kept = 0;

	for (size_t i = 0; i < h->n; i++) {
		at[n++] = h->op[i].inv;
		at[n++] = h->op[i].res;
	}
	qsort(at, n, sizeof(*at), by_value);
	for (size_t i = 0; i < n; i++)
		if (!kept || at[kept - 1] != at[i])
			at[kept++] = at[i];
	return kept;
}

static void bar(const struct hist_op *op, const int64_t *at, size_t n,
                char *text)
{
	for (size_t i = 0; i < n; i++) {
		text[i] = ' ';
		if (at[i] == op->inv)
			text[i] = '[';
		else if (at[i] == op->res)
			text[i] = ']';
		else if (at[i] > op->inv && at[i] < op->res)
			text[i] = '-';
	}
	text[n] = '\0';
}

static void print_line(const struct history *h, const struct line *line,
                       const struct hist_finding *f, const char *bars)
{
	bool marked = line->number == f->op[0] || line->number == f->op[1];
	const struct hist_op *op = line->op;
	char call[120], end[32] = "...";

	say_call(op, call, sizeof(call));
	if (!hist_is_pending(op))
		snprintf(end, sizeof(end), "%.3f",
		         (double)(op->res - origin(h)) / 1e3);
	fprintf(stderr, "%10.3f %10s  task %-2u %-32s%s%s\n",
	        (double)(op->inv - origin(h)) / 1e3, end, op->task, call, bars,
	        marked ? "  <--" : "");
}

void hist_print(const struct history *h, const struct hist_finding *f)
{
	struct line *line = hist_alloc(h->n, sizeof(*line));
	int64_t *at = hist_alloc(2 * h->n, sizeof(*at));
	size_t times = gather_times(h, at);
	char bars[BARS + 1] = "";

	for (size_t i = 0; i < h->n; i++)
		line[i] = (struct line){ &h->op[i], i };
	qsort(line, h->n, sizeof(*line), by_begin);
	fprintf(stderr, "%10s %10s  %-7s %s\n", "from us", "to us", "task",
	        "call and result");
	for (size_t i = 0; i < h->n; i++) {
		if (times <= BARS)
			bar(line[i].op, at, times, bars);
		print_line(h, &line[i], f, bars);
	}
	free(at);
	free(line);
}
