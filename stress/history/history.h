/*
 * history: what some tasks called on one channel, when, and what came of it,
 * and three levels of checkers that say whether a correct channel can have
 * answered like that.
 *
 * A call is put down with the times at which it began and returned. One call is
 * before another only if it returned at an earlier time than the other began
 * at; all others overlap, and may have taken effect in either order. The times
 * are of CLOCK_MONOTONIC, which is one clock for all CPUs, read outside of the
 * call with a full barrier on the side of the call (log.c): so what is taken
 * for "before" is so, and what is before by less than the clock tells is taken
 * for an overlap.
 *
 * Level 0, hist_level0(), needs no clock: what came out was put in, once, and
 * in the order of its sender. Level 1, hist_level1(), looks for bad patterns in
 * O(n log n): each is proof of a fault, but a faulty history may show none.
 * Level 2, hist_level2(), is exact and for small histories: it searches for an
 * order of all calls in which one after the other, on a channel as declared,
 * they answer as they did.
 */
#ifndef STRESS_HISTORY_HISTORY_H
#define STRESS_HISTORY_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/chan.h>
#include <weft/chan_impl.h>

enum hist_kind {
	HIST_SEND,
	HIST_RECV,
	HIST_CLOSE,
};

/* How it was called. A batch is put down as so many calls with the same times,
 * in order, and a select as the call that it chose. */
enum hist_mode {
	HIST_PLAIN, /* without a deadline */
	HIST_TRY,
	HIST_TIMED,
	HIST_BATCH,
	HIST_SELECT,
	HIST_TRY_SELECT,
	HIST_TIMED_SELECT,
	HIST_MODES,
};

/* The `res` of a call that has not returned. */
#define HIST_PENDING INT64_MAX

#define HIST_NONE SIZE_MAX

/* Tasks of a history, and what level 2 can take. */
#define HIST_TASKS 16
#define HIST_SMALL_TASKS 8
#define HIST_SMALL_SENDS 20

struct hist_op {
	int64_t inv, res; /* ns */
	int64_t deadline_ns;
	uint64_t value; /* sent, or received; see hist_value() */
	int result;     /* 0 or -errno; of no meaning while pending */
	uint16_t task;
	uint8_t kind, mode;
};

enum hist_order {
	HIST_NO_ORDER,
	HIST_SENDER_ORDER, /* each sender's elements come out in its order */
	HIST_FIFO,         /* one order for all */
};

/* What the channel declares. */
struct hist_spec {
	enum hist_order order;
	size_t cap; /* 0: a send and a receive meet; SIZE_MAX: never full */
	bool exact; /* cap is the number of elements, no more and no less */
};

/* The calls of task 0 in the order in which it made them, then those of task 1,
 * and so on. */
struct history {
	struct hist_spec spec;
	struct hist_op *op;
	size_t n;
	bool drained; /* nothing can be inside any more */
	bool at_rest; /* calls that are pending now are so for good */
};

/* A value that no other send has: the task's n-th. */
static inline uint64_t hist_value(unsigned task, uint32_t n)
{
	return (uint64_t)task << 24 | (n & 0xffffff);
}

/* As a channel of `impl` whose capacity is said to be `cap`. */
struct hist_spec hist_spec_of(const struct weft_chan_impl *impl, size_t cap);

/* --- what is wrong --- */

struct hist_finding {
	const char *rule; /* a_name_like_this */
	size_t op[2];     /* the calls that show it; HIST_NONE */
	char text[600];   /* one line, with values, tasks and times */
};

/* Each returns true when it has found something. Level 1 and level 2 take
 * histories in which level 0 finds nothing. Values must be unique. */
bool hist_level0(const struct history *h, struct hist_finding *f);
bool hist_level1(const struct history *h, struct hist_finding *f);

enum hist_answer {
	HIST_POSSIBLE,
	HIST_IMPOSSIBLE,
	HIST_UNKNOWN, /* too large, or not decided within the budget */
};

/* The default budget: states that it looks at before it gives up. */
#define HIST_BUDGET 200000

enum hist_answer hist_level2(const struct history *h, size_t budget);

/* All three. */
bool hist_judge(const struct history *h, struct hist_finding *f);

/* --- showing it --- */

/* Leave out calls as long as level 2 finds what is left impossible, in place.
 * What was impossible because of what is left out stays. */
void hist_minimise(struct history *h);

/* Let the finding name all calls, or the first of many. */
void hist_name_calls(const struct history *h, struct hist_finding *f);

/* Print the calls in the order in which they began, with a bar for the time
 * that each took; marked are those of the finding. On stderr. */
void hist_print(const struct history *h, const struct hist_finding *f);

/* "element 2.17": the 17th of task 2. Into `text`, which is returned. */
const char *hist_value_name(uint64_t value, char *text, size_t bytes);

/* "overtaken" and all others: the i-th rule's name; NULL past the last. */
const char *hist_rule(size_t i);

/* --- for the checkers --- */

/* For each call: of a send the call that received its value, of a receive the
 * send; HIST_NONE. Belongs to free(). When two sends have the same value, or
 * two receives, the first stands. */
size_t *hist_pairs(const struct history *h);

/* Memory that the checkers need must be had, or the run is not tried. */
void *hist_alloc(size_t n, size_t size);

static inline bool hist_is_pending(const struct hist_op *op)
{
	return op->res == HIST_PENDING;
}

/* Whether it returned, and 0. */
static inline bool hist_is_done(const struct hist_op *op)
{
	return !hist_is_pending(op) && op->result == 0;
}

/* Whether it returned because there was nothing to take, or no room. */
bool hist_is_refused(const struct hist_op *op);

/* Whether it returned because the channel is closed. */
bool hist_is_ended(const struct hist_op *op);

/* --- recording --- */

/* One task's. Preallocated: recording allocates nothing, and writes to nothing
 * that another task writes to. */
struct hist_log {
	_Alignas(64) struct hist_op *op;
	size_t n, room;
	unsigned task;
	uint32_t values; /* used so far */
	_Atomic int64_t fence;
};

void hist_log_init(struct hist_log *log, unsigned task, size_t room);
void hist_log_fini(struct hist_log *log);

/* A value of its own for the next element. */
uint64_t hist_log_value(struct hist_log *log);

/* A call is about to be made. There must be room. */
struct hist_op *hist_begin(struct hist_log *log, enum hist_kind kind,
                           enum hist_mode mode, uint64_t value,
                           int64_t deadline_ns);

/* It returned. */
void hist_end(struct hist_log *log, struct hist_op *op, int result);

/* One more element of the call that has just ended, with the same times. */
void hist_more(struct hist_log *log, uint64_t value, int result);

/* All logs as one history; h->op must have room for all. */
void hist_join(struct history *h, const struct hist_log *log, unsigned logs);

#endif
