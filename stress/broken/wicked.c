/*
 * wicked: does harm to its process in the one call that WEFT_WICKED names, by
 * the deed that it names: "create:crash", "len:loop", ...
 *
 * The calls are load and unload, the operations of the channel, and two threads
 * that act a moment after they began: "thread" begins on loading, and so may
 * act while a slow machine is still loading; "worker" begins in the first
 * create.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base.h"

static void divide(void)
{
	/* Where division by zero is none of the CPU's faults. */
	raise(SIGFPE);
}

static void loop(void)
{
	for (;;)
		weft_pause();
}

/* A page below the stack pointer or anything else will do: all that can be
 * written of the process's own data is. */
static void write_wildly(void)
{
	char *at = (char *)(uintptr_t)((uintptr_t)environ & ~(uintptr_t)0xfff);

	for (;;) /* up to where memory ends */
		*at++ = 0x5a;
}

static void leave(void)
{
	exit(0);
}

static void leave_at_once(void)
{
	_exit(0);
}

static void crash(void)
{
	raise(SIGSEGV);
}

static void act(const char *call)
{
	static const struct {
		const char *name;
		void (*fn)(void);
	} deeds[] = {
		{ "crash", crash }, { "divide", divide },
		{ "loop", loop },   { "wild", write_wildly },
		{ "exit", leave },  { "_exit", leave_at_once },
	};
	const char *wish = getenv("WEFT_WICKED");
	size_t n = strlen(call);

	if (!wish || strncmp(wish, call, n) != 0 || wish[n] != ':')
		return;
	for (size_t i = 0; i < sizeof(deeds) / sizeof(deeds[0]); i++)
		if (strcmp(wish + n + 1, deeds[i].name) == 0)
			deeds[i].fn();
}

struct later {
	const char *call;
	useconds_t us;
};

static void *act_later(void *arg)
{
	const struct later *later = arg;

	usleep(later->us);
	act(later->call);
	return NULL;
}

/* Start that thread, if it is the one that shall act. */
static void begin(struct later *later)
{
	const char *wish = getenv("WEFT_WICKED");
	size_t n = strlen(later->call);
	pthread_t thread;

	if (wish && strncmp(wish, later->call, n) == 0 && wish[n] == ':' &&
	    pthread_create(&thread, NULL, act_later, later) == 0)
		pthread_detach(thread);
}

__attribute__((constructor)) static void load(void)
{
	static struct later thread = { "thread", 20000 };

	act("load");
	begin(&thread);
}

__attribute__((destructor)) static void unload(void)
{
	act("unload");
}

static int wicked_create(void **state, const struct weft_chan_config *config)
{
	static struct later worker = { "worker", 1000 };
	static atomic_bool created;

	act("create");
	if (!weft_xchg_relaxed(&created, true))
		begin(&worker);
	return ring_create(state, config);
}

static void wicked_destroy(void *state)
{
	act("destroy");
	ring_destroy(state);
}

static int wicked_try_send(void *state, const void *elem)
{
	act("try_send");
	return ring_try_send(state, elem);
}

static int wicked_try_recv(void *state, void *elem)
{
	act("try_recv");
	return ring_try_recv(state, elem);
}

static int wicked_close(void *state)
{
	act("close");
	return ring_close(state);
}

static size_t wicked_len(const void *state)
{
	act("len");
	return ring_len(state);
}

static bool wicked_poll(void *state, char dir, uint64_t *pos)
{
	act("poll");
	return ring_poll(state, dir, pos);
}

static size_t wicked_cap(const void *state)
{
	act("cap");
	return ((const struct ring *)state)->cap;
}

PLUG_IN("wicked", "for tests: does harm to its process", RING_CAN,
        .create = wicked_create, .destroy = wicked_destroy,
        .try_send = wicked_try_send, .try_recv = wicked_try_recv,
        .close = wicked_close, .len = wicked_len, .cap = wicked_cap,
        .poll = wicked_poll);
