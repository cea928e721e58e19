/*
 * suite: what the checks are written in.
 *
 * A check is a function that is called once for each variation (a cell), as
 * the first task of a run of its own. It says what must hold with MUST and
 * REQUIRE; the first thing that does not hold ends the process.
 *
 * Elements carry a tag, 32 bits of the check's choice, and in every byte
 * beyond those a pattern that follows from the tag. Smaller elements carry the
 * tag's low bytes.
 */
#ifndef STRESS_CONFORM_SUITE_H
#define STRESS_CONFORM_SUITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/atomic.h>
#include <weft/chan.h>
#include <weft/chan_impl.h>
#include <weft/ctx.h>
#include <weft/select.h>
#include <weft/task.h>

#include "stress/conform/conform.h"
#include "stress/conform/supervise.h"

/* --- what a check is --- */

/* What a check needs, beside bits of enum weft_chan_can. */
#define NEEDS_DATA (UINT64_C(1) << 32)   /* elements that arrive */
#define NEEDS_ORDER (UINT64_C(1) << 33)  /* of each sender at least */
#define NEEDS_TAGS (UINT64_C(1) << 34)   /* elements of 4 bytes or more */
#define NEEDS_UNSAN (UINT64_C(1) << 35)  /* a build without sanitizer */
#define NEEDS_PLUGIN (UINT64_C(1) << 36) /* a channel in a shared object */

/* What it runs over. */
enum over {
	OVER_0 = 1 << 0,
	OVER_1 = 1 << 1,
	OVER_2 = 1 << 2,
	OVER_7 = 1 << 3,
	OVER_64 = 1 << 4,
	OVER_UNBOUNDED = 1 << 5,
	OVER_OWN = 1 << 6, /* once: the check sees to capacities itself */

	OVER_BOUNDED = OVER_1 | OVER_2 | OVER_7 | OVER_64,
	OVER_BUFFERED = OVER_BOUNDED | OVER_UNBOUNDED,
	OVER_FULL = OVER_0 | OVER_BOUNDED, /* those that can be full */
	OVER_CAPS = OVER_0 | OVER_BUFFERED,

	OVER_SIZES = 1 << 8,   /* of elements; default: one that holds a tag */
	OVER_PARKING = 1 << 9, /* wait policies adaptive and park */
	OVER_POLICIES = 1 << 10, /* those and spin; default: adaptive */

	/* On the manual clock where the implementation waits in weft, so that
	 * cell_settle() knows. Not for policy spin, which never parks. */
	OVER_MANUAL = 1 << 11,

	/* By each driver, where the implementation can stand in a select;
	 * default: by calls. */
	OVER_DRIVERS = 1 << 12,
};

/* How the calls with tags below are made. */
enum driver {
	BY_CALL,
	BY_SELECT,            /* a select of that one case */
	BY_SELECT_BESIDE,     /* beside one that is never ready */
	BY_SELECT_BESIDE_ODD, /* the same, of another kind of channel */
	DRIVERS,
};

/* One variation. */
struct cell {
	const struct weft_chan_impl *impl;
	size_t cap;  /* asked for */
	size_t elem; /* bytes */
	enum weft_wait wait;
	enum driver by;
	bool manual; /* the clock */
	bool exact;  /* len and cap are exact: WEFT_CAN_LEN */
	bool unbounded;
	bool ordered;      /* each sender's order is kept */
	bool one_order;    /* and there is one for all senders */
	bool timed;        /* deadlines are honoured */
	unsigned percent;  /* of the usual repetitions */
	unsigned variants; /* how many cells share the check's repetitions */
};

struct conform_check {
	const char *name;
	const char *scenarios;
	uint64_t needs;
	unsigned senders, receivers; /* at once, at least; 0 = 1 */
	unsigned over;
	void (*fn)(struct cell *cell);
};

/* One table for each file of checks, ended by one without a name. */
extern const struct conform_check conform_basic[], conform_batch[],
        conform_bytes[], conform_close[], conform_counters[], conform_faults[],
        conform_history[], conform_load[], conform_memory[], conform_misuse[],
        conform_rendezvous[], conform_select[], conform_select_cases[],
        conform_select_load[], conform_select_race[], conform_time[],
        conform_traffic[], conform_wake[], conform_window[];

/* --- what must hold --- */

/* End the process with a message, for what does not hold. */
WEFT_NORETURN WEFT_PRINTF(3, 4) void expect_failed(const char *file, int line,
                                                   const char *format, ...);

WEFT_NORETURN void expect_code_failed(const char *file, int line,
                                      const char *call, int got, int want);

/* A call that returns 0 or -errno must return `want`. What does not is told of
 * by the name of the function that is called first; for what is more than one
 * call, or has been made before, there is the next one. */
#define MUST(call, want) MUST_OF(#call, call, want)

/* The same of what a call has returned, under the name of that call. */
#define MUST_OF(name, got, want)                                               \
	do {                                                                   \
		int must_got_ = (got), must_want_ = (want);                    \
		if (must_got_ != must_want_)                                   \
			expect_code_failed(__FILE__, __LINE__, name,           \
			                   must_got_, must_want_);             \
	} while (0)

/* A condition must hold; the rest says, in words, what happened if not. */
#define REQUIRE(cond, ...)                                                     \
	do {                                                                   \
		if (!(cond))                                                   \
			expect_failed(__FILE__, __LINE__, __VA_ARGS__);        \
	} while (0)

/* Memory that the check needs for itself must be had, or the check is not
 * tried.
 */
#define NEED_MEMORY(assignment)                                                \
	do {                                                                   \
		if (!(assignment))                                             \
			child_untried("the machine has no memory to give");    \
	} while (0)

/* "-EPIPE" and the like. */
const char *code_name(int code);

/* --- elements --- */

/* What is left of `tag` in an element of so many bytes. */
uint32_t tag_in(size_t elem_size, uint32_t tag);

/* Make *elem an element that carries `tag`. */
void elem_make(void *elem, size_t elem_size, uint32_t tag);

/* The tag of *elem. Fails the check when another byte is not as made. */
uint32_t elem_tag(const void *elem, size_t elem_size);

/* Room for one element, with a margin beyond it, to see whether anything is
 * written there. */
#define ROOM_MARGIN 32

struct room {
	_Alignas(WEFT_CACHE_LINE) unsigned char bytes[WEFT_ELEM_MAX +
	                                              ROOM_MARGIN];
};

/* Fill n bytes and the margin with what room_must_be_untouched() knows. */
unsigned char *room_make(unsigned char *bytes, size_t n);
void room_must_be_untouched(const unsigned char *bytes, size_t from, size_t to,
                            const char *what);

/*
 * The calls of weft/chan.h with a tag for the element. A receive also sees to
 * it that a failed one writes nothing and none writes more than the element.
 * All but the _ctx and the _many are made as the driver of the cell says.
 */
int tag_send(struct weft_chan *c, uint32_t tag, int64_t deadline_ns);
int tag_try_send(struct weft_chan *c, uint32_t tag);
int tag_recv(struct weft_chan *c, uint32_t *tag, int64_t deadline_ns);
int tag_try_recv(struct weft_chan *c, uint32_t *tag);
int tag_send_ctx(struct weft_chan *c, uint32_t tag, struct weft_ctx *ctx,
                 int64_t deadline_ns);
int tag_recv_ctx(struct weft_chan *c, uint32_t *tag, struct weft_ctx *ctx,
                 int64_t deadline_ns);
int tag_send_many(struct weft_chan *c, const uint32_t *tags, size_t n,
                  size_t *done, int64_t deadline_ns);
int tag_recv_many(struct weft_chan *c, uint32_t *tags, size_t n, size_t *done,
                  int64_t deadline_ns);

/* The most that the two above take. */
#define MANY_MAX 256

/* A receive must succeed and bring the element that was sent with `tag`. */
#define must_recv(c, tag, deadline_ns)                                         \
	must_recv_at(__FILE__, __LINE__, c, tag, deadline_ns)

void must_recv_at(const char *file, int line, struct weft_chan *c, uint32_t tag,
                  int64_t deadline_ns);

/* --- drivers --- */

/* Whether channels of that capacity can stand in a select. */
bool impl_selects(const struct weft_chan_impl *impl, size_t cap, size_t elem);

/* "select beside an idle channel" and the like; "" for calls. */
const char *driver_name(enum driver by);

/* Whether such channels can be driven like that. */
bool driver_applies(const struct weft_chan_impl *impl, size_t cap, size_t elem,
                    enum driver by);

/* Make the calls with tags as the cell says, until driver_end(): by then
 * nobody may wait any more. Not within a run. */
void driver_begin(const struct cell *cell);
void driver_end(void);

/* --- select --- */

#define CHOICE_MAX 8

/* A select whose elements carry tags. Large: not for the stack of many. */
struct choice {
	unsigned n;
	struct weft_case cases[CHOICE_MAX];
	uint32_t tag[CHOICE_MAX]; /* of a send; received by what was chosen */
	struct room room[CHOICE_MAX];
};

/* Add a case; c may be NULL. Returns its index. */
unsigned choice_add(struct choice *ch, enum weft_case_op op,
                    struct weft_chan *c, uint32_t tag);
unsigned choice_send(struct choice *ch, struct weft_chan *c, uint32_t tag);
unsigned choice_recv(struct choice *ch, struct weft_chan *c);

/* Add a receive from a channel whose elements have 0 bytes, without memory for
 * one. */
unsigned choice_recv_nothing(struct choice *ch, struct weft_chan *c);

/*
 * weft_select() of these cases, which may be made again and again. Whatever
 * the outcome, it must have written to nothing but the chosen case, only what
 * belongs there, and must not have given up early. Returns as weft_select().
 */
int choice_make(struct choice *ch, int64_t deadline_ns);

/* How case i, which was chosen, ended: 0, -EPIPE, -ENOMEM. */
int choice_err(const struct choice *ch, int i);

/* --- channels --- */

/* A channel as the cell says; it must be possible to make one. */
struct weft_chan *cell_chan(const struct cell *cell);
struct weft_chan *cell_chan_of(const struct cell *cell, size_t cap,
                               size_t elem_size,
                               const struct weft_chan_opts *opts);

/* Whether the implementation takes that capacity, with the cell's elements. */
bool cell_takes(const struct cell *cell, size_t cap);

/* Nobody may be registered as waiting on a channel at rest. */
#define chan_must_be_idle(c) chan_must_be_idle_at(__FILE__, __LINE__, c)

void chan_must_be_idle_at(const char *file, int line, struct weft_chan *c);

/* Give back the last reference to one, after seeing to that. */
#define chan_end(c) chan_end_at(__FILE__, __LINE__, c)

void chan_end_at(const char *file, int line, struct weft_chan *c);

/*
 * The i-th cell to put beside `cell` in a select: the same with another
 * implementation, first its own, then each built-in one that can stand in a
 * select; with its capacity where that can be, or the nearest. Says in
 * vital.where which it is, and that the check goes on. False past the last.
 */
bool cell_partner(const struct cell *cell, size_t i, struct cell *partner);

/* Send elements tagged `from`, `from` + 1, ... without waiting until the
 * channel is full, or `n` of them. Returns how many. */
size_t chan_fill(struct weft_chan *c, uint32_t from, size_t n);

/* Enough for chan_fill() to reach the end of any channel under test. */
#define TO_THE_BRIM ((size_t)1 << 20)

/* What must come out of a channel that was given these tags and then closed:
 * all of it, in order when the cell's order is kept; then -EPIPE. */
#define must_drain(cell, c, from, n)                                           \
	must_drain_at(__FILE__, __LINE__, cell, c, from, n)

void must_drain_at(const char *file, int line, const struct cell *cell,
                   struct weft_chan *c, uint32_t from, size_t n);

/*
 * What comes out of a channel into which two senders put elements, the second
 * after the first: each once, and in the order that the cell has promised, if
 * any. The first has sent the tags from 0 on, the second those that follow.
 */
struct intake {
	const struct cell *cell;
	uint32_t first; /* elements of the first sender */
	uint32_t most;  /* with those of the second, at most */
	uint32_t n, next[2];
	bool *seen;
};

void intake_begin(struct intake *in, const struct cell *cell, size_t first,
                  size_t second);

/* An element was received. */
void intake_take(struct intake *in, uint32_t tag);

/* All was received that ever will be; the second sender has sent so many. */
void intake_end(struct intake *in, size_t second);

/* The same, after the channel was closed and `second` sent; takes the rest. */
void intake_drain(struct intake *in, struct weft_chan *c, size_t second);

/* weft_chan_close() and weft_chan_len(), of which a report on a hang knows. */
int chan_close(struct weft_chan *c);
size_t chan_len(const struct weft_chan *c);

/* --- how much --- */

/* n, or less where less than the usual repetitions are asked for. */
unsigned cell_some(const struct cell *cell, unsigned n);

/* This cell's part of `total` repetitions, at least cell_some() of `least`.
 * Fewer under a sanitizer. */
unsigned cell_times(const struct cell *cell, unsigned total, unsigned least);

/* This cell's part of the time that a check of a narrow window takes. */
int64_t cell_window(const struct cell *cell);

/* n, or the most that may call that side at once. */
unsigned cell_senders(const struct cell *cell, unsigned n);
unsigned cell_receivers(const struct cell *cell, unsigned n);

/* Whether there is such a limit, on either side. */
bool cell_is_limited(const struct cell *cell);

/* --- tasks --- */

/* Start a task; it must be possible. */
struct weft_task *task_start(const char *name, weft_task_fn fn, void *arg);

/* Join it; it must have returned 0. */
void task_finish(struct weft_task *task);

/* One call that may wait, in a task of its own. */
enum form {
	FORM_SEND,
	FORM_RECV,
	FORM_SEND_MANY,
	FORM_RECV_MANY,
	FORM_SELECT,
};

struct call {
	struct weft_chan *c;
	enum form form;
	int64_t deadline_ns;
	uint32_t tag;          /* of the first to send; of the first received */
	size_t n;              /* for the _MANY */
	struct choice *choice; /* of a select */
	void *elem;            /* of a send or recv, instead of a tag's */

	size_t done;      /* by the _MANY */
	int result;       /* what it returned */
	int64_t ended_ns; /* weft_now() then */

	struct weft_task *task;
	_Atomic int thread; /* it is about to call, on this thread */
	_Atomic bool over;

	/* For cell_settle(): how the thread was when it was last looked at. */
	int64_t began_ns, asleep_ns;
	unsigned long switches;
};

void call_begin(struct call *call);

/* Whether it has returned. */
bool call_is_over(const struct call *call);

/* Wait until it has returned. Returns its result. */
int call_end(struct call *call);

/* The same; it must have returned `want`. */
#define MUST_END(call, want)                                                   \
	MUST_OF(form_name((call)->form), call_end(call), want)

/* "send" and the like. */
const char *form_name(enum form form);

/* The same with many: n calls like `like`, with tags counted up from its. */
void calls_begin(struct call *calls, size_t n, const struct call *like);

/* Wait until each of the calls either waits in the channel or is over. */
void cell_settle(const struct cell *cell, struct call *calls, size_t n);

/* A span of time that is long enough to tell early from late. */
int64_t cell_span(const struct cell *cell);

/* Let the clock reach `deadline_ns`, and the tasks that it wakes react. */
void cell_reach(const struct cell *cell, int64_t deadline_ns);

/* --- races --- */

#define ACTORS_MAX 4

/*
 * Actors that are let go at once, again and again. The calling task is the
 * first, and prepares and judges each round; the others are tasks of their own:
 * two actors need two CPUs and no third. Each waits for 0 to 2 us before it
 * acts, short times more often than long ones, so that over many rounds every
 * order of their instructions has its turn.
 */
struct race {
	unsigned actors, rounds;
	int64_t span_ns; /* for so long beyond the rounds */
	void (*before)(struct race *r);
	void (*act)(struct race *r, unsigned actor);
	void (*after)(struct race *r);

	const struct cell *cell;
	struct weft_chan *c;
	unsigned round;
	int result[ACTORS_MAX];
	uint32_t tag[ACTORS_MAX];
	unsigned seen[4]; /* outcomes, for the check's remark */
	uint64_t data;    /* shared without atomics, on purpose */

	_Alignas(WEFT_CACHE_LINE) _Atomic unsigned arrived;
	_Alignas(WEFT_CACHE_LINE) _Atomic unsigned gate;
};

/* Run all rounds. Not on a manual clock when there is a span. */
void race_run(struct race *r);

/* For rounds that are far apart: wait until the gate shows another than this,
 * asleep when it takes long. Returns it. Pairs with a release store. */
unsigned await_round(const _Atomic unsigned *gate, unsigned round);

#endif
