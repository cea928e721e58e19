/*
 * life: the contract of docs/components.md as a suite, for every component.
 *
 * A component registers by patterns/<name>/life.c, which defines
 *
 *	const struct life life_<component>[] = { { .name = "fan", ... }, { 0 }
 *};
 *
 * with a row for each shape of it that ends in its own way. What travels are
 * uint64_t numbers: one that comes out must be one that went in. The suite
 * keeps a ledger of them, so an element that gets lost, comes twice or is
 * dropped twice fails whatever is tested.
 */
#ifndef WEFT_TESTING_LIFE_H
#define WEFT_TESTING_LIFE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/ctx.h>

struct life_opts {
	struct weft_ctx *ctx; /* for the option of that name */
	const void *shape;    /* that of the row */
};

struct life {
	const char *name;  /* NULL ends the rows */
	const void *shape; /* what make() has to know of this one */

	/*
	 * Make one that holds at least one element between in and out, or none
	 * where that is its shape; with life_drop() for what is dropped, NULL
	 * as its argument. By LIFE_NEW(), and aborts when it cannot.
	 */
	void *(*make)(const struct life_opts *o);

	/* The calls; NULL for a side or a verb that it has not. */
	int (*in)(void *t, uint64_t item, int64_t deadline_ns);
	int (*out)(void *t, uint64_t *item, int64_t deadline_ns);
	int (*close)(void *t);
	int (*stop)(void *t);
	int (*fail)(void *t, int err);
	int (*join)(void *t, int64_t deadline_ns);
	int (*stats)(const void *t, void *out);
	void (*free)(void *t);

	/* How many tasks may be in `in`, and in `out`, at once: at least 1
	 * where there is such a side; more than the suite uses count as any. */
	unsigned senders, receivers;

	/* Callers use channels of their own, which the component closes: they
	 * get -EPIPE instead of the reason. */
	bool closes_only;
	/* `in` takes an element over even when it fails. */
	bool takes_always;
	/* Elements come from inside, without end: the component never comes to
	 * an end in order, and makes them with life_make(). */
	bool endless;
	/* `in` needs somebody at `out` even while there is room, as a call
	 * needs its server: it returns when its element has come out. */
	bool needs_peer;
	/* What went in comes out after a close, and not before. */
	bool after_close;
	/* What `in` waits for comes with time, so no wait is for good; where
	 * it is known when, a deadline that is earlier is not waited for. */
	bool by_time;
};

/*
 * In make(): the call that makes the component. It must return 0; unless the
 * suite has let it run out of memory or threads, when it must say so, leave
 * nothing behind, and is called again. LIFE_ADD is for one that adds a part: of
 * what it did the component may keep some, which goes with it.
 */
#define LIFE_NEW(call) LIFE_CALL_OF(call, true)
#define LIFE_ADD(call) LIFE_CALL_OF(call, false)
#define LIFE_CALL_OF(call, whole)                                              \
	do                                                                     \
		life_new_begin();                                              \
	while (!life_new_end(call, whole))

void life_new_begin(void);
bool life_new_end(int err, bool whole);

/* For a row, one of these calls in terms of the component's:
 *
 *	LIFE_CALL(stop, (void *t), weft_relay_stop(relay_of(t))) */
#define LIFE_CALL(name, parameters, call)                                      \
	static int name parameters                                             \
	{                                                                      \
		return call;                                                   \
	}

/* The calls of weft_<of>_<verb>() as the functions <of>_<verb>(). */
#define LIFE_SEND_RECV(of)                                                     \
	LIFE_CALL(of##_send, (void *t, uint64_t item, int64_t until),          \
	          weft_##of##_send(t, &item, until))                           \
	LIFE_CALL(of##_recv, (void *t, uint64_t *item, int64_t until),         \
	          weft_##of##_recv(t, item, until))
#define LIFE_STOP_FAIL_FREE(of)                                                \
	LIFE_CALL(of##_stop, (void *t), weft_##of##_stop(t))                   \
	LIFE_CALL(of##_fail, (void *t, int err), weft_##of##_fail(t, err))     \
	static void of##_free(void *t)                                         \
	{                                                                      \
		weft_##of##_free(t);                                           \
	}
#define LIFE_CLOSE(of) LIFE_CALL(of##_close, (void *t), weft_##of##_close(t))
#define LIFE_JOIN(of)                                                          \
	LIFE_CALL(of##_join, (void *t, int64_t until),                         \
	          weft_##of##_join(t, until))
#define LIFE_STATS(of)                                                         \
	LIFE_CALL(of##_stats, (const void *t, void *out),                      \
	          weft_##of##_stats(t, out))

/* The drop function. */
void life_drop(void *elem, void *arg);

/* A new number, for what makes its elements itself; it counts as gone in. */
uint64_t life_make(void);

/* Run the suite over these rows; the exit status of the test. */
int life_run(const struct life *rows);

/* The same with one check only, and how many checks there are: for the test of
 * the suite. Aborts when there is no such check. */
int life_run_only(const struct life *rows, const char *check);
size_t life_checks(void);

#endif
