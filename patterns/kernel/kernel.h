/*
 * kernel: what the kernels share, and all that a kernel.c includes beside its
 * component.
 *
 * A kernel is a table of knobs, the functions of its struct pattern, and the
 * loop of each driver. The rest is done around it, by cell_run() (cell.h):
 * payload and batch are tested, `cell` has the values of the common knobs and a
 * zeroed state, the work is calibrated; the first error of a driver is kept and
 * stops the others; and the verdict says that error, then what the tally found,
 * then what the kernel itself adds.
 *
 * What passes once per message is inline, so that the kernel's own part of it
 * and this one become one loop.
 */
#ifndef WEFT_PATTERNS_KERNEL_KERNEL_H
#define WEFT_PATTERNS_KERNEL_KERNEL_H

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <weft/atomic.h>
#include <weft/weft.h>

#include "base/cacheline.h"
#include "cli/text.h"
#include "kernel/message.h"
#include "kernel/pace.h"
#include "kernel/pattern.h"
#include "kernel/place.h"
#include "kernel/tally.h"
#include "kernel/work.h"

#define KERNEL_INLINE static inline __attribute__((always_inline))

/* The fields of a struct pattern that each kernel fills with what it has under
 * these names: knobs[], struct state, and the functions. */
#define KERNEL(id)                                                             \
	.name = #id, .knobs = knobs, .state_bytes = sizeof(struct state),      \
	.shape = shape, .setup = setup, .work = run_driver, .halt = halt,      \
	.teardown = teardown, .demo = id##_demo

/* --- rows of a table of knobs --- */

#define KERNEL_ITEMS_MAX (INT64_C(1) << 26)
#define KERNEL_CAP_MAX (1 << 20)
#define KERNEL_BATCH_MAX 4096
#define KERNEL_BATCH_BYTES_MAX (1 << 20)

/* One of the words of choices, up to the last one; def is its index. */
#define KNOB_CHOICE(name, help, def, last, choices, sweep)                     \
	{                                                                      \
		name, "", help, def, 0, last, choices, sweep                   \
	}
/* A number of tasks, channels or the like. */
#define KNOB_COUNT(name, help, def, min, max, sweep)                           \
	{                                                                      \
		name, "", help, def, min, max, NULL, sweep                     \
	}
#define KNOB_ITEMS                                                             \
	{                                                                      \
		"items", "items",                                              \
		        "items per run; 0 = as many as fill the time", 0, 0,   \
		        KERNEL_ITEMS_MAX, NULL, "0"                            \
	}
#define KNOB_CAP(def, sweep)                                                   \
	{                                                                      \
		"cap", "items", "capacity of each channel", def, 0,            \
		        KERNEL_CAP_MAX, NULL, sweep                            \
	}
#define KNOB_PAYLOAD(max, sweep)                                               \
	{                                                                      \
		"payload", "B", "bytes per message, in steps of 8",            \
		        MESSAGE_MIN, MESSAGE_MIN, max, NULL, sweep             \
	}
#define KNOB_WORK(name, help, sweep)                                           \
	{                                                                      \
		name, "ns", help, 0, 0, 1000000000, NULL, sweep                \
	}
#define KNOB_BATCH(help, def, sweep)                                           \
	{                                                                      \
		"batch", "items", help, def, 1, KERNEL_BATCH_MAX, NULL, sweep  \
	}
#define KNOB_WAIT                                                              \
	KNOB_CHOICE("wait", "how waiting tasks wait", WEFT_WAIT_ADAPTIVE,      \
	            WEFT_WAIT_PARK, kernel_waits, "adaptive,park")
/* Any text; without one it is "". */
#define KNOB_TEXT(name, help)                                                  \
	{                                                                      \
		name, "", help, 0, 0, 1, kernel_no_choices, ""                 \
	}
/* The end of the table, before which comes what every pattern has. */
#define KNOB_END                                                               \
	KNOB_CHOICE("placement",                                               \
	            "CPUs of the tasks; auto: apart, each kept on one",        \
	            PLACE_AUTO, PLACE_APART, kernel_placements, ""),           \
	{                                                                      \
		.name = NULL                                                   \
	}

extern const char *const kernel_waits[];
extern const char *const kernel_no_choices[];

/* --- for setup --- */

/* cell->message becomes n buffers of `batch` messages each, every one in cache
 * lines of its own and zero. 0 or -ENOMEM; freed with the cell. */
int kernel_buffers(struct cell *cell, unsigned n, size_t batch);

/*
 * The capacity that the channel makes of what the cell asks for, SIZE_MAX when
 * unbounded; some round it up. Of a channel made for the purpose: the
 * component's word may be what is in question. 0 or -errno.
 */
int kernel_probe(const struct cell *cell, size_t *cap);

/* --- for drivers, and for stop --- */

/* Keep `err`, unless it is 0 or another came first. */
void kernel_error(struct cell *cell, int err);

/* A driver cannot go on, and so the others cannot: keep the error and halt the
 * pattern. 0 is no error. */
void kernel_fail(struct cell *cell, int err);

/* A driver that receives has come to an end: -EPIPE is that of all items. */
void kernel_end(struct cell *cell, int err);

/* --- sending --- */

/* Write the n messages from `value` on to m. */
KERNEL_INLINE void kernel_write(const struct cell *cell, unsigned char *m,
                                size_t n, uint64_t value)
{
	for (size_t i = 0; i < n; i++)
		message_write(m + i * cell->payload, cell->payload, value + i);
}

/* Items seq to seq + n - 1 of a sender, which stand at m. */
struct kernel_batch {
	struct cell *cell;
	unsigned sender;
	uint64_t seq;
	unsigned char *m;
	size_t n;
};

/* Send them all. 0 or -errno. */
typedef int kernel_send_fn(const struct kernel_batch *b);

/*
 * Send the items that fall to `sender` of `senders`, each once it is due, up to
 * `most` together: its item seq is item seq * senders + sender of the cell, and
 * its value message_value_of(sender, seq). They are written to m. Returns 0, or
 * the first error of send().
 */
KERNEL_INLINE int kernel_produce(struct cell *cell, unsigned sender,
                                 unsigned senders, unsigned char *m,
                                 size_t most, kernel_send_fn *send)
{
	uint64_t items = tally_share(cell->items, senders, sender), left;
	size_t n;
	int err = 0;

	for (uint64_t seq = 0; seq < items && !err; seq += n) {
		left = items - seq;
		n = pace_batch(cell, seq * senders + sender, senders,
		               left < most ? (size_t)left : most);
		kernel_write(cell, m, n, message_value_of(sender, seq));
		err = send(&(struct kernel_batch){ cell, sender, seq, m, n });
	}
	return err;
}

/* --- receiving --- */

/* The time, where it matters when a message comes. */
KERNEL_INLINE int64_t kernel_now(const struct cell *cell)
{
	return cell->timed ? weft_now() : 0;
}

/* Out of line, for the sake of runs where it does not matter. */
void kernel_record_latency(struct cell *cell, unsigned consumer, uint64_t item,
                           int64_t now);

/* Where it matters: item `item` of the cell, if there is such, has come to a
 * consumer at `now`. */
KERNEL_INLINE void kernel_record_at(struct cell *cell, unsigned consumer,
                                    uint64_t item, int64_t now)
{
	if (__builtin_expect(cell->timed, 0))
		kernel_record_latency(cell, consumer, item, now);
}

/* The same, now. */
KERNEL_INLINE void kernel_record(struct cell *cell, unsigned consumer,
                                 uint64_t item)
{
	if (__builtin_expect(cell->timed, 0))
		kernel_record_latency(cell, consumer, item, weft_now());
}

/* Item `seq` of `producer` has come to a consumer as m, which must be all of
 * what was written for `value`. */
KERNEL_INLINE void kernel_count(struct cell *cell, unsigned consumer,
                                unsigned producer, uint64_t seq,
                                const unsigned char *m, uint64_t value)
{
	if (message_is_of(m, cell->payload, value))
		tally_count(cell->tally, consumer, producer, seq);
	else
		tally_corrupt(cell->tally, consumer, message_value(m));
}

#endif
