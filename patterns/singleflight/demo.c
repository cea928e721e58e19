/* The demo: five requests for one key at once, then three for two keys. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "flight.h"
#include "kernel/pattern.h"

#define REQUESTS 5
#define OF_KEYS 3
#define WORK_NS (2 * WEFT_SEC)

struct demo {
	FILE *out;
	struct weft_flight *flight;
};

struct request {
	struct demo *d;
	int id;
	const char *key;
	int64_t work_ns;
	struct weft_task *task;
	struct weft_flight_result result;
};

static void drop(void *value, void *arg)
{
	(void)arg;
	free(value);
}

static int expensive(void *arg, void **value)
{
	const struct request *r = arg;
	char *data;

	fprintf(r->d->out, "Request %d: Executing expensive operation...\n",
	        r->id);
	weft_sleep_until(weft_deadline_in(r->work_ns));
	if (asprintf(&data, "Data for %s (processed by request %d)", r->key,
	             r->id) < 0)
		return -ENOMEM;
	*value = data;
	return 0;
}

static int request(void *arg)
{
	struct request *r = arg;
	struct weft_flight_key key = weft_flight_text(r->key);
	struct weft_flight *f = r->d->flight;
	FILE *out = r->d->out;
	int err;

	fprintf(out, "Request %d: Starting...\n", r->id);
	err = weft_flight_try_do(f, key, expensive, r, &r->result);
	if (err == -EAGAIN) {
		fprintf(out,
		        "Duplicate call for key %s, waiting for result...\n",
		        r->key);
		err = weft_flight_do(f, key, expensive, r, &r->result,
		                     WEFT_FOREVER);
	}
	if (!err)
		fprintf(out, "Request %d: Completed with result: %s\n", r->id,
		        (const char *)r->result.value);
	return err;
}

/* Requests for these keys at once, and what they got. */
static int ask(struct demo *d, const char *const *keys, int n, int64_t work_ns,
               const char *heading)
{
	struct request r[REQUESTS];
	int started = 0, err = 0, status;

	for (; started < n && !err; started += !err) {
		r[started] = (struct request){ .d = d,
			                       .id = started,
			                       .key = keys[started],
			                       .work_ns = work_ns };
		err = weft_spawn(&r[started].task,
		                 &(struct weft_task_opts){ "request", 0 },
		                 request, &r[started]);
	}
	for (int i = 0; i < started; i++) {
		weft_join(r[i].task, &status);
		err = err ? err : status;
	}
	if (!err)
		fprintf(d->out, "\n%s\n", heading);
	for (int i = 0; i < started; i++) {
		if (!err)
			fprintf(d->out, "  Request %d: %s\n", i,
			        (const char *)r[i].result.value);
		weft_flight_release(&r[i].result);
	}
	return err;
}

int singleflight_demo(FILE *out)
{
	static const char *const same[] = { "user:123", "user:123", "user:123",
		                            "user:123", "user:123" };
	static const char *const some[] = { "user:123", "user:456",
		                            "user:123" };
	const struct weft_flight_opts opts = { .drop = drop };
	struct demo d = { .out = out };
	int err = weft_flight_new(&d.flight, &opts);

	if (err)
		return err;
	fprintf(out, "Making %d concurrent requests for key: user:123\n",
	        REQUESTS);
	err = ask(&d, same, REQUESTS, WORK_NS,
	          "All results should be identical:");
	if (!err) {
		fprintf(out, "\nMaking %d concurrent requests for 2 keys\n",
		        OF_KEYS);
		err = ask(&d, some, OF_KEYS, WORK_NS / 2,
		          "Results should be identical for each key:");
	}
	if (!err)
		fprintf(out, "\nSingleflight example completed!\n");
	weft_flight_free(d.flight);
	return err;
}
