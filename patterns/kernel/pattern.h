/*
 * pattern: what one folder under patterns/ supplies besides its component.
 *
 * The kernel is the parameterized workload that the bench and the stress run.
 * cell_run() (cell.h) owns the drivers, the bench time and repetition; the
 * kernel owns none of them. One run is
 *
 *	setup; open the gate; work() in every driver; stop; verify; teardown
 *
 * all inside one weft_run(). Every run is verified, measured ones too.
 */
#ifndef WEFT_PATTERNS_KERNEL_PATTERN_H
#define WEFT_PATTERNS_KERNEL_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <weft/weft.h>

#include "kernel/hist.h"

#define PATTERN_KNOBS_MAX 24
#define PATTERN_TEXT_BYTES 1024

/*
 * One thing that can be turned. Numbers lie in [min, max]; a knob with
 * choices is one of those words and its value is the index. With an empty list
 * of choices it is any text, of less than PATTERN_TEXT_BYTES, such as a file's
 * name; its value is 1 where one is given, and it has nothing to sweep. A
 * pattern has one of those at most. Names mean the same everywhere:
 * docs/adding-a-pattern.md lists them.
 */
struct knob {
	const char *name;
	const char *unit; /* "" for none */
	const char *help; /* one line */
	int64_t def, min, max;
	const char *const *choices; /* NULL-terminated; NULL for numbers */
	const char *sweep;          /* values worth a sweep: "1,2,4,8" */
};

static inline bool knob_is_text(const struct knob *k)
{
	return k->choices && !k->choices[0];
}

struct pattern;
struct tally;
struct text;

/* Values for the knobs of one pattern, in the order of its list. */
struct params {
	const struct pattern *pattern;
	int64_t value[PATTERN_KNOBS_MAX];
	char text[PATTERN_TEXT_BYTES]; /* of the knob that is one; or "" */
};

/* What a kernel found out about a run beside its time: "fill_mean", "items",
 * "inside, after a put", 3.5. The words are constants. */
struct figure {
	const char *name;
	const char *unit; /* "" for none */
	const char *help; /* of what; "" where the name says it */
	double value;
};

#define PATTERN_FIGURES_MAX 16

struct gap {
	_Alignas(WEFT_CACHE_LINE) int64_t last, longest;
};

/* What a cell is made of. */
struct cell_shape {
	/* Tasks that cell_run() starts and gates, each calling work(id) with
	 * its id in [0, drivers). */
	unsigned drivers;
	unsigned helpers;   /* tasks of the component's own */
	unsigned consumers; /* the length of cell.latency and cell.share */

	/* The most demanding of its channels: capacity, bytes per element, the
	 * most senders and receivers at once, and bits of enum weft_chan_can
	 * beyond what the pattern always needs. */
	size_t cap, elem_size;
	unsigned senders, receivers;
	uint64_t needs;
};

/* One run of one kernel. */
struct cell {
	const struct pattern *pattern;
	const struct weft_chan_impl *chan;
	struct params params;
	uint64_t items; /* how many messages this run moves */

	/*
	 * How the load is made. 0: closed loop, every driver as fast as it
	 * can. Otherwise each item is due at a time of its own, on average
	 * pace_ns after the one before (of which there may be several in a
	 * nanosecond), and is sent then or as soon after as
	 * possible; the kernel records, for each item, the time from when it
	 * was due to when it was consumed. pace.h says when that is.
	 *
	 * A pattern with closed_loop set is never paced. Where it is given
	 * `latency`, it records how long each round trip took its client, and
	 * reads no clock otherwise.
	 */
	double pace_ns;
	/* How long after t0 each of the items is due, ascending. NULL: item i
	 * at i * pace_ns. */
	const int64_t *due;
	int64_t t0; /* read just before the gate opens */

	struct cell_shape shape;
	/* One histogram per consumer, for pace_ns > 0 or a closed loop's
	 * latency; otherwise NULL. */
	struct hist *latency;
	/* With it: when each consumer last got something, and how long it had
	 * waited at most. */
	struct gap *gap;
	/* Items consumed by each consumer, for the fairness figures. */
	uint64_t *share;

	/* Of cell_figure(). */
	struct figure figure[PATTERN_FIGURES_MAX];
	unsigned figures;

	/*
	 * Of the frame (kernel.h), constant once setup has returned: what the
	 * knobs of these names say, or 0, the capacity as the shape has it;
	 * and what setup may change.
	 */
	int variant;
	size_t payload, batch, cap;
	int64_t work;
	enum weft_wait wait;
	bool timed;    /* latency is recorded, from when each item was due */
	bool in_order; /* what one sender sends stays in order; by default
	                  what the channel promises */
	struct tally *tally;     /* NULL: nothing to look at */
	unsigned char **message; /* buffers of kernel_buffers() */
	unsigned messages;

	_Atomic int error;  /* the first of a driver */
	_Atomic bool ended; /* a driver has seen the end of all items */

	/* The kernel's own: pattern->state_bytes, all zero at first, in cache
	 * lines of its own. */
	void *state;
};

/* Words enough for any reason that verify gives. */
#define PATTERN_WHY_BYTES 200

struct pattern {
	const char *name;         /* the folder */
	const char *flag;         /* of cmp-pattern, without the dashes */
	const char *title;        /* as the demo prints it: "Pipeline" */
	const char *summary;      /* one line for lists */
	const struct knob *knobs; /* ends with name NULL */

	/* Bits of enum weft_chan_can that the channel must have for any
	 * parameters. */
	uint64_t needs;
	/* Whether it also runs over a channel that moves no data
	 * (WEFT_NO_DATA), to show what the harness costs. */
	bool no_data;
	/* Whether latency is the time of a round trip, with the next one begun
	 * when the last has ended: a closed loop, and labelled so. */
	bool closed_loop;
	/* Whether these parameters make sense together, beyond what is true of
	 * a payload and a batch of any pattern. 0, or -EINVAL and one line that
	 * names the value and what is allowed. NULL: always. */
	int (*accept)(const struct params *p, struct text *why);
	/* How many items such a cell has by itself, where the knob `items`
	 * leaves it open: those of an input, say. 0: as many as are asked for.
	 * NULL: always. Called with what was accepted. */
	uint64_t (*items)(const struct params *p);
	/* How long a run of so many items takes at the least, in ns, by what
	 * its knobs say beside `work`: of waits, say. Before that it is not
	 * taken for hung; and where the number of items is open, it is one for
	 * which that is not long. NULL: it may be over at once. */
	double (*least_ns)(const struct params *p, uint64_t items);
	/* What such a cell is made of. *out says: one driver, no helper, one
	 * consumer, and a channel of the knobs `cap` and `payload` between one
	 * sender and one receiver; what differs is to be changed. NULL:
	 * nothing does. */
	void (*shape)(const struct params *p, struct cell_shape *out);

	/* Bytes of cell.state. */
	size_t state_bytes;
	/* Make what the run needs; start the component's own tasks, which
	 * idle. 0 or -errno; after an error the cell is stopped and torn down
	 * with what there is. */
	int (*setup)(struct cell *cell);
	/* The measured part of one driver. Returns once its share has been
	 * consumed, or handed over to a task whose end counts. */
	void (*work)(struct cell *cell, unsigned driver);
	/* Release all waiting tasks: a driver cannot go on, or none was
	 * started. Any number of tasks may call it, at any time. */
	void (*halt)(struct cell *cell);
	/* End and join the component's own tasks. Not timed. NULL when there
	 * are none. It is called once, after halt unless a driver has seen the
	 * end. */
	void (*stop)(struct cell *cell);
	/* Look at what the tally and the drivers' errors do not say. Adds what
	 * went wrong to `why`, which may hold other findings already: any
	 * finding fails the run. And the figures, with cell_figure(). NULL:
	 * there is nothing else. */
	void (*verify)(struct cell *cell, struct text *why);
	/* Free what setup has made, all or a part of it. NULL: nothing. */
	void (*teardown)(struct cell *cell);

	/* What `cmp-pattern --<flag>` prints between its heading and its end.
	 * Runs inside weft_run(), whose seed makes it repeat. */
	int (*demo)(FILE *out);
};

/* The patterns in order of name; NULL past the last. */
const struct pattern *pattern_at(size_t i);

/* The pattern of that name; NULL when there is none. */
const struct pattern *pattern_find(const char *name);

struct cell_shape params_shape(const struct params *p);

/* The value of a knob that the pattern has; aborts when it has not. */
int64_t param(const struct params *p, const char *knob);
/* The same, and 0 when it has not. */
int64_t param_or_0(const struct params *p, const char *knob);

/* Where the knob stands in the pattern's list; -1 when it does not. */
int pattern_knob(const struct pattern *p, const char *knob);

/* Add a figure to the cell. For verify, which adds the same ones, in the same
 * order, in every run of the same params; of several runs, medians are told. */
void cell_figure(struct cell *cell, const char *name, const char *unit,
                 const char *help, double value);

/* Every knob at its default. */
void params_default(const struct pattern *p, struct params *out);

/*
 * Set one knob from text. 0; -ENOENT when the pattern has no such knob;
 * -EINVAL when the value is malformed or out of range. Then `why` is one line
 * that names the value and what is allowed.
 */
int params_set(const struct pattern *p, struct params *params, const char *knob,
               const char *text, char *why, size_t why_bytes);

#define PATTERN(name, ...)                                                     \
	extern const struct pattern pattern_##name;                            \
	int name##_demo(FILE *out);
#include "patterns.def"
#undef PATTERN

#endif
