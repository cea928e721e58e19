/*
 * supervise: runs a function in a child process that may hang or crash.
 *
 * The child's output is captured. When it is overdue, a thread inside of it
 * prints what each task waits for, and the child is ended; one that cannot
 * even do that is killed. When the parent dies, the child goes with it.
 *
 * Time is what the parent has seen itself run for: while it is stopped (Ctrl-Z,
 * a paused container) or starved, nobody is late. And a child has ended well
 * only if this file's own code made it end: a status that nobody collected, or
 * an exit() by the code under test, is none.
 */
#ifndef STRESS_CONFORM_SUPERVISE_H
#define STRESS_CONFORM_SUPERVISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <weft/atomic.h>
#include <weft/export.h>

/* Exit statuses of a child, beside 0. Those below 64 and above 125 belong to
 * sanitizers and shells. */
enum {
	CHILD_UNTRIED = 116, /* said in vital.note what the machine lacks */
	CHILD_FAILED = 117,  /* said on stderr what is wrong */
	CHILD_SKIPPED = 118, /* said in vital.note why it cannot be tested */
	CHILD_HUNG = 119,    /* printed its tasks */
};

/* What a child lets its parent see while it runs, in shared memory. */
struct vital {
	_Atomic uint64_t turns; /* each that is counted has the limit anew */
	_Atomic int left; /* 1 + the status that it meant to leave with; or 0 */
	_Atomic uint64_t seed;          /* of what is under way */
	_Atomic uint64_t rounds, items; /* done so far, of whatever it does */
	char where[160];                /* what is under way, in words */
	char note[240];                 /* a remark on the whole */
};

/* Of the current child; in the parent, of the last one. Never NULL between the
 * start of the first child and the end of the process. */
extern struct vital *vital;

enum child_end {
	CHILD_EXITED,  /* `status` is what it exited with */
	CHILD_SIGNAL,  /* `status` is the signal that ended it */
	CHILD_OVERDUE, /* it hung */
};

/* Whether memory is a sanitizer's, which keeps for a while what was freed: by
 * the way this program was built, or preloaded for a plug-in that was. */
bool allocator_is_sanitized(void);

/* Whether the child was done when it exited, and not in the middle of fn. */
bool child_meant_to_leave(int status);

struct child {
	enum child_end end;
	int status;
	int64_t ns;       /* how long it took */
	char *log;        /* what it printed, ends with 0; never NULL */
	size_t log_bytes; /* without the 0 */
};

/*
 * Run fn(arg) in a child, whose exit status is what fn returns. The calling
 * process must have a single thread, and the caller must not be a task.
 *
 * limit_ns  until the child is overdue, from its start or the last turn that it
 *           counted.
 * watch     called with `arg` every 100 ms or so, for progress; may be NULL.
 *
 * Returns 0, and *out belongs to child_free(); -errno when there is no child
 * to be had; -ECHILD when its status was taken away.
 */
WEFT_NODISCARD int child_run(int (*fn)(void *arg), void *arg, int64_t limit_ns,
                             void (*watch)(void *arg), struct child *out);

void child_free(struct child *child);

/* --- for the child --- */

/* Called by a thread that is no task when the child is overdue, after its tasks
 * were printed, to print what else is known; NULL for nothing. */
extern void (*child_on_alarm)(FILE *to);

/* Count a turn: it goes on, and the limit begins anew. Any task may. */
void vital_goes_on(void);

/* Say where it is. Only one task at a time may. */
WEFT_PRINTF(1, 2) void vital_where(const char *format, ...);

/* End the child, at once, with what it has printed. */
WEFT_NORETURN void child_leave(int status);

/* End the child: it does not apply, for the reason given. */
WEFT_NORETURN WEFT_PRINTF(1, 2) void child_skip(const char *format, ...);

/* End the child: what is missing is the machine's to give, and no fault of what
 * is tested. */
WEFT_NORETURN WEFT_PRINTF(1, 2) void child_untried(const char *format, ...);

#endif
