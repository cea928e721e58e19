#include "bench/peers/support/gate.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <weft/task.h>

/* More threads than a run has tasks, and none of it is memory before its seat
 * is taken. */
#define SEATS 4096

static struct gate_seat seats[SEATS];
static _Atomic size_t seats_used; /* none beyond was ever taken */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key; /* gives the seat back when its thread ends */

__thread struct gate_seat *gate_mine;
bool gate_asymmetric;

static void give_back(void *arg)
{
	struct gate_seat *seat = arg;

	gate_leave(seat, GATE_SEND);
	gate_leave(seat, GATE_RECV);
	weft_store_release(&seat->taken, false); /* [taken] */
	gate_mine = NULL;
}

static void init(void)
{
	gate_asymmetric = weft_barrier_is_asymmetric();
	if (pthread_key_create(&key, give_back))
		abort();
}

void gate_init(struct gate *g)
{
	pthread_once(&once, init);
	weft_store_relaxed(&g->stage, (uint32_t)GATE_OPEN);
}

static void note_used(size_t n)
{
	size_t used = weft_load_seq_cst(&seats_used);

	while (used < n && !weft_cas_weak_seq_cst(&seats_used, &used, n))
		;
}

struct gate_seat *gate_take_seat(void)
{
	for (size_t i = 0; i < SEATS; i++) {
		bool taken = false;

		if (!weft_cas_acquire(&seats[i].taken, &taken, true))
			continue; /* [taken] */
		note_used(i + 1);
		gate_mine = &seats[i];
		pthread_setspecific(key, gate_mine);
		return gate_mine;
	}
	fprintf(stderr, "peers: more than %d threads at once\n", SEATS);
	abort();
}

size_t gate_inside(const struct gate *g, enum gate_way way)
{
	size_t n = weft_load_seq_cst(&seats_used), inside = 0;

	for (size_t i = 0; i < n; i++)
		inside += weft_load_seq_cst(&seats[i].in[way]) == g;
	return inside;
}

void gate_clear(const struct gate *g, enum gate_way way,
                void (*wake)(void *arg, struct gate_seat *seat), void *arg)
{
	size_t n = weft_load_seq_cst(&seats_used);

	for (size_t i = 0; i < n; i++)
		while (weft_load_seq_cst(&seats[i].in[way]) == g) {
			if (wake)
				wake(arg, &seats[i]);
			weft_yield();
		}
}

int gate_begin_close(struct gate *g,
                     void (*wake)(void *arg, struct gate_seat *seat), void *arg)
{
	uint32_t open = GATE_OPEN;

	if (!weft_cas_seq_cst(&g->stage, &open, (uint32_t)GATE_CLOSING))
		return -EPIPE;
	weft_barrier_heavy(); /* [gate] */
	gate_clear(g, GATE_SEND, wake, arg);
	return 0;
}

void gate_shut(struct gate *g, void (*wake)(void *arg, struct gate_seat *seat),
               void *arg)
{
	weft_store_seq_cst(&g->stage, (uint32_t)GATE_SHUT);
	weft_barrier_heavy(); /* [gate] */
	gate_clear(g, GATE_RECV, wake, arg);
}

void gate_await_shut(const struct gate *g)
{
	while (!gate_is_shut(g))
		weft_yield();
}

int gate_close(struct gate *g, void (*wake)(void *arg, struct gate_seat *seat),
               void *arg)
{
	int err = gate_begin_close(g, wake, arg);

	if (err)
		gate_await_shut(g);
	else
		gate_shut(g, wake, arg);
	return err;
}
