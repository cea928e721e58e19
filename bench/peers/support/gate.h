/*
 * gate: a close for queues that have none, at almost no cost to a send.
 *
 * The contract is hard to keep with a flag alone: a send that saw the channel
 * open may still be about to put its element into the queue when the close and
 * the last receive have long been over, and the element is lost. So each thread
 * has a seat in which it notes that it is inside a call; the close sets its
 * flag, makes sure by the asymmetric barrier that nobody misses it, and waits
 * until the senders have left. From then on an empty queue stays empty. On its
 * way a send pays two stores to a line of its own thread and one load.
 *
 *	stage     send      receive
 *	OPEN      goes on   waits when the queue is empty
 *	CLOSING   waits     waits: a sender may be about to add something
 *	SHUT      -EPIPE    -EPIPE when the queue is empty
 *
 * A thread that blocks in the library while it is inside is woken by what the
 * adapter gives gate_close(), as often as it takes. So a call that blocks
 * enters first, looks at the stage then, and looks again when it returns.
 */
#ifndef BENCH_PEERS_GATE_H
#define BENCH_PEERS_GATE_H

#include <errno.h>
#include <stddef.h>

#include <weft/atomic.h>

WEFT_BEGIN_DECLS

enum { GATE_OPEN, GATE_CLOSING, GATE_SHUT };
enum gate_way { GATE_SEND, GATE_RECV };

struct gate {
	WEFT_ATOMIC(uint32_t) stage;
};

/* Of one thread at a time; the memory stays. */
struct gate_seat {
	/* By enum gate_way. */
	WEFT_ALIGNED(WEFT_CACHE_LINE) WEFT_ATOMIC(const struct gate *) in[2];
	WEFT_ATOMIC(bool) taken;
	void *tool; /* the adapter's own, for its waits; stays with the seat */
};

/* The caller's seat, or NULL when it has none yet. */
extern __thread struct gate_seat *gate_mine
        __attribute__((tls_model("initial-exec")));
extern bool gate_asymmetric;

/* Take a seat for the calling thread, until it ends. */
struct gate_seat *gate_take_seat(void);

void gate_init(struct gate *g);

static inline struct gate_seat *gate_seat_of_caller(void)
{
	return __builtin_expect(gate_mine != NULL, 1) ? gate_mine
	                                              : gate_take_seat();
}

/* Be inside, in the eyes of a close that this thread does not see. */
static inline struct gate_seat *gate_enter(const struct gate *g,
                                           enum gate_way way)
{
	struct gate_seat *seat = gate_seat_of_caller();

	/* [gate] Either the stage that is read next shows the close, or the
	 * close finds the seat occupied. */
	if (__builtin_expect(gate_asymmetric, 1)) {
		weft_store_relaxed(&seat->in[way], g);
		weft_barrier_compiler();
	} else {
		weft_store_seq_cst(&seat->in[way], g);
	}
	return seat;
}

static inline void gate_leave(struct gate_seat *seat, enum gate_way way)
{
	weft_store_release(&seat->in[way], (const struct gate *)NULL);
}

static inline uint32_t gate_stage(const struct gate *g)
{
	return weft_load_seq_cst(&g->stage);
}

static inline bool gate_is_open(const struct gate *g)
{
	return gate_stage(g) == GATE_OPEN;
}

/* Whether nothing will be added any more. */
static inline bool gate_is_shut(const struct gate *g)
{
	return gate_stage(g) == GATE_SHUT;
}

/*
 * What a call that came upon the close waits for before it says -EPIPE, after
 * it has left: until the gate is shut a receive may say -EAGAIN, and must not
 * to a caller that already knows of the close. Not for a gate that is shut by a
 * receive.
 */
void gate_await_shut(const struct gate *g);

/* Leave after a send. Returns err, what came of it. */
static inline int gate_leave_send(const struct gate *g, struct gate_seat *seat,
                                  int err)
{
	gate_leave(seat, GATE_SEND);
	if (__builtin_expect(err == -EPIPE, 0))
		gate_await_shut(g);
	return err;
}

/*
 * Close: 0, or -EPIPE when somebody else did. Returns when no send is inside
 * and every receive has seen it; the latter, when the gate is shut.
 *
 * wake  called with arg for each seat whose thread is inside, again and again
 *       until it has left; NULL when none of the calls blocks.
 */
int gate_close(struct gate *g, void (*wake)(void *arg, struct gate_seat *seat),
               void *arg);

/* The two halves of it, for a queue that is not empty as soon as a receive
 * finds nothing: until the senders have left, and from when it is empty for
 * good. The caller of the second must have left, too. */
int gate_begin_close(struct gate *g,
                     void (*wake)(void *arg, struct gate_seat *seat),
                     void *arg);
void gate_shut(struct gate *g, void (*wake)(void *arg, struct gate_seat *seat),
               void *arg);

/* Wait until nobody is inside that way, while the stage lets nobody in; and
 * how many are. */
void gate_clear(const struct gate *g, enum gate_way way,
                void (*wake)(void *arg, struct gate_seat *seat), void *arg);
size_t gate_inside(const struct gate *g, enum gate_way way);

WEFT_END_DECLS

#endif
