/*
 * spinner: what a wait does before it parks.
 *
 * Parking costs two system calls and a wake-up across cores, as much as
 * hundreds of messages, so a wait first polls. It pauses between polls, in
 * gaps that double, five microseconds in all; then it yields between polls,
 * for as many rounds as paid off for this task lately; then it is time to park.
 * On a single allowed CPU every poll would only keep the peer from running: it
 * yields once, four times at a deep buffer, and then parks.
 *
 * Nor do pauses help where a peer has much to do before the wait can end, which
 * a deep buffer means, and may not even have a CPU to do it on: in a pipeline
 * with more stages than CPUs it is the pauses that keep the next stage from
 * running. Whether another task wants this CPU shows in how long a yield
 * takes. So a wait at a deep buffer has four yields, and with company eight
 * more instead of the pauses; a shared one, where other tasks wait for the same
 * thing, keeps one pause before them, so that they do not all go at once.
 *
 * At a small buffer a peer on another CPU answers within the pauses, and one on
 * the same CPU cannot: where the pauses were in vain several times, and the
 * first yield was not, the next waits have two yields first.
 *
 * A yield that is slow to return went to a task that is not waiting for us and
 * used up a time slice. Then yielding is given up for a while, and a wait goes
 * from its pauses to the park: a parked task gets its CPU back at once when it
 * is woken. docs/adr/0004 has figures.
 *
 *	spinner_init(&s, policy, gap, shared, deadline_ns);
 *	while (!ready && spinner_turn(&s))
 *		ready = look();
 */
#ifndef WEFT_TASK_SPINNER_H
#define WEFT_TASK_SPINNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/chan.h>

struct weft_task;

struct spinner {
	enum weft_wait policy;
	bool alone;      /* one CPU: the peer cannot run while we do */
	bool learns;     /* how it ends tells how the next one begins */
	uint32_t first;  /* yields before the pauses, left */
	uint32_t gap;    /* pauses before the next poll */
	uint32_t pauses; /* left of the budget */
	uint32_t yields; /* left */
	int64_t deadline_ns;
};

/* The gap of a wait at a buffer of that capacity: the deeper it is, the longer
 * a poll should leave the peer alone with it. */
static inline uint32_t spinner_gap(size_t cap)
{
	size_t gap = cap < 64 ? cap / 2 : cap / 4 * 3;

	return gap < 64 ? (uint32_t)gap : 64;
}

/* gap: the fewest pauses between polls; more where a poll disturbs a peer
 * that is making progress, 1 where each poll counts. It also tells how deep the
 * buffer is: see above. */
void weft_spinner_init(struct spinner *s, enum weft_wait policy, uint32_t gap,
                       bool shared, int64_t deadline_ns);

/* weft_yield(). If that cost a time slice, the next waits of t, the calling
 * task or NULL, do without yields. Returns how long it took, in ns. */
int64_t weft_yield_timed(struct weft_task *t);

/* The calling task has slept for so long in another way than
 * weft_spinner_park(), which says so itself: what the next waits learn from. */
void weft_spinner_slept(int64_t ns);

/* For a task that has parked and was woken. */
void weft_spinner_init_woken(struct spinner *s, enum weft_wait policy,
                             uint32_t gap, int64_t deadline_ns);

/* Pass some time. False, at once, when it is time to park, or when the
 * deadline has expired, which a park then finds out again. */
bool weft_spinner_turn(struct spinner *s);

/*
 * weft_park() of the calling task, counted in *parks, and learnt from: after a
 * short one, yielding longer would have been better, after a long one it was a
 * waste. `what` and `on` are for the state dump: see weft_wait_begin().
 */
int weft_spinner_park(const char *what, const void *on, _Atomic uint64_t *parks,
                      int64_t deadline_ns);

#endif
