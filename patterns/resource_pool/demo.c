/* The demo: eight workers share five connections, six share four clients. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <weft/atomic.h>

#include "kernel/pattern.h"
#include "respool.h"

#define WORKERS_MAX 8
#define CREATE_MS 100

/* A pool of the seed's, with the words of its lines. */
struct scene {
	const char *heading, *noun, *use, *preposition, *total;
	unsigned initial, max, workers;
	int64_t least_ms, spread_ms; /* how long it is used */
};

static const struct scene scenes[] = {
	{ "1. Database Connection Pool Example:", "DB connection",
	  "Executing query", "on connection",
	  "DB pool closed. Total connections created", 3, 5, 8, 300, 300 },
	{ "2. HTTP Client Pool Example:", "HTTP client", "Making API request",
	  "with client", "HTTP client pool closed. Total clients created", 2, 4,
	  6, 200, 200 },
};

struct worker {
	FILE *out;
	const struct scene *scene;
	struct weft_respool *pool;
	unsigned id;
	struct weft_task *task;
};

/* What is made here is nothing but slow to make. */
static int create(void **res, void *arg)
{
	(void)arg;
	weft_sleep_until(weft_deadline_in(CREATE_MS * WEFT_MS));
	*res = malloc(1);
	return *res ? 0 : -ENOMEM;
}

static void destroy(void *res, void *arg)
{
	(void)arg;
	free(res);
}

static int work(void *arg)
{
	struct worker *w = arg;
	const struct scene *s = w->scene;
	struct weft_resource r;
	int64_t ms;
	int err = weft_respool_acquire(w->pool, &r, WEFT_FOREVER);

	if (err)
		return err;
	ms = s->least_ms +
	     (int64_t)(weft_rand() % (uint64_t)(s->spread_ms + 1));
	fprintf(w->out, "Worker %u: Got %s %d\n", w->id, s->noun, (int)r.id);
	fprintf(w->out, "Worker %u: %s %s %d\n", w->id, s->use, s->preposition,
	        (int)r.id);
	weft_sleep_until(weft_deadline_in(ms * WEFT_MS));
	fprintf(w->out, "Worker %u: Released %s %d\n", w->id, s->noun,
	        (int)r.id);
	return weft_respool_release(w->pool, &r);
}

static int run_workers(FILE *out, const struct scene *scene,
                       struct weft_respool *pool)
{
	const struct weft_task_opts opts = { .name = "worker" };
	struct worker workers[WORKERS_MAX];
	unsigned started = 0;
	int err = 0, status;

	for (; started < scene->workers && !err; started += !err) {
		struct worker *w = &workers[started];

		*w = (struct worker){ out, scene, pool, started + 1, NULL };
		err = weft_spawn(&w->task, &opts, work, w);
	}
	for (unsigned i = 0; i < started; i++) {
		weft_join(workers[i].task, &status);
		err = err ? err : status;
	}
	return err;
}

static int show(FILE *out, const struct scene *scene)
{
	const struct weft_respool_opts opts = { .max = scene->max,
		                                .min = scene->initial,
		                                .create = create,
		                                .destroy = destroy };
	struct weft_respool_stats stats;
	struct weft_respool *pool;
	int err = weft_respool_new(&pool, &opts);

	if (err)
		return err;
	fprintf(out, "\n%s\n", scene->heading);
	err = weft_respool_warm(pool, 0);
	if (!err)
		err = run_workers(out, scene, pool);
	if (!err)
		err = weft_respool_close(pool);
	if (!err)
		err = weft_respool_stats(pool, &stats);
	weft_respool_free(pool);
	if (!err)
		fprintf(out, "%s: %d\n", scene->total, (int)stats.created);
	return err;
}

int resource_pool_demo(FILE *out)
{
	int err = 0;

	for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]) && !err; i++)
		err = show(out, &scenes[i]);
	if (!err)
		fprintf(out, "\nResource Pooling example completed!\n");
	return err;
}
