/*
 * A program of a user: it takes components from <weft/patterns/...> and has
 * functions of its own with names that weft's own sources use inside. Built and
 * run by install_test.sh against what `cmake --install` has put in place.
 */
#include <stdint.h>
#include <stdio.h>

#include <weft/patterns/fan.h>
#include <weft/patterns/semaphore.h>
#include <weft/weft.h>

#define ITEMS 100L

long param(const char *name);
const char *suggest(const char *word);
void work_for(long units);
int order_new(void), tokens_take(void), tally_new(void), reorder_init(void);
int gen_end(void), pattern_find(void), cell_run(void), crew_start(void);
int ending_begin(void), cacheline_new(void), list_init(void), look(void);

/* None of them does what weft's does. */
long param(const char *name)
{
	return name[0] == 'i' ? ITEMS : 0;
}

const char *suggest(const char *word)
{
	return word;
}

static long worked;

void work_for(long units)
{
	worked += units;
}

#define STRANGER(name)                                                         \
	int name(void)                                                         \
	{                                                                      \
		return puts("weft called the program's own " #name "()");      \
	}

STRANGER(order_new)
STRANGER(tokens_take)
STRANGER(tally_new)
STRANGER(reorder_init)
STRANGER(gen_end)
STRANGER(pattern_find)
STRANGER(cell_run)
STRANGER(crew_start)
STRANGER(ending_begin)
STRANGER(cacheline_new)
STRANGER(list_init)
STRANGER(look)

static int twice(const void *in, void *out, unsigned worker, void *arg)
{
	(void)worker;
	(void)arg;
	*(long *)out = 2 * *(const long *)in;
	return WEFT_EMIT;
}

static int feed(void *fan)
{
	int err = 0;

	for (long i = 1; i <= param(suggest("items")) && !err; i++)
		err = weft_fan_send(fan, &i, WEFT_FOREVER);
	weft_fan_close(fan);
	return err;
}

/* The sum of what comes out, under a permit. */
static int collect(struct weft_fan *f, struct weft_semaphore *s)
{
	long result;
	int err = weft_semaphore_acquire(s, 1, WEFT_FOREVER);

	if (err)
		return err;
	while (weft_fan_recv(f, &result, WEFT_FOREVER) == 0)
		work_for(result);
	return weft_semaphore_release(s, 1);
}

static int run_fan(struct weft_semaphore *s)
{
	const struct weft_fan_opts opts = {
		.fn = twice,
		.workers = 2,
		.merge = WEFT_FAN_ORDERED,
		.cap = 4,
		.elem_size = sizeof(long),
	};
	struct weft_task *feeder;
	struct weft_fan *f;
	int err = weft_fan_new(&f, &opts);

	if (err)
		return err;
	err = weft_spawn(&feeder, NULL, feed, f);
	if (!err) {
		err = collect(f, s);
		weft_join(feeder, NULL);
	}
	if (!err)
		err = weft_fan_join(f, WEFT_FOREVER);
	weft_fan_free(f);
	return err;
}

static int first(void *arg)
{
	const struct weft_semaphore_opts opts = { .permits = 1 };
	struct weft_semaphore *s;
	int err = weft_semaphore_new(&s, &opts);

	(void)arg;
	if (err)
		return err;
	err = run_fan(s);
	weft_semaphore_free(s);
	return err;
}

int main(void)
{
	int err = weft_run(WEFT_THREADS, NULL, first, NULL);

	printf("status %d, sum %ld\n", err, worked);
	return err || worked != ITEMS * (ITEMS + 1);
}
