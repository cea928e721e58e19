/* The demo: twenty items, four workers, one queue. */
#include <errno.h>
#include <stdio.h>

#include "fan.h"
#include "kernel/pattern.h"

#define ITEMS 20
#define WORKERS 4
#define GENERATE_MS 50
#define WORK_MS_MIN 100
#define WORK_MS_SPREAD 200

struct result {
	int item, worker;
};

struct demo {
	FILE *out;
	struct weft_fan *fan;
};

static void pretend_to_work(int64_t ms)
{
	weft_sleep_until(weft_deadline_in(ms * WEFT_MS));
}

static int generate(void *arg)
{
	struct demo *d = arg;
	int err = 0;

	for (int item = 0; item < ITEMS && !err; item++) {
		/* Before it is sent: a worker's line cannot come first. */
		fprintf(d->out, "Generated work item: %d\n", item);
		err = weft_fan_send(d->fan, &item, WEFT_FOREVER);
		pretend_to_work(GENERATE_MS);
	}
	weft_fan_close(d->fan);
	return err;
}

static int process(const void *in, void *out, unsigned worker, void *arg)
{
	const int *item = in;
	struct result *result = out;
	struct demo *d = arg;

	pretend_to_work(WORK_MS_MIN + (int64_t)(weft_rand() % WORK_MS_SPREAD));
	*result = (struct result){ *item, (int)worker + 1 };
	fprintf(d->out, "Worker %d processed item %d\n", result->worker,
	        result->item);
	return WEFT_EMIT;
}

/* Print results until the fan has ended. */
static int show_results(struct demo *d, int *count)
{
	struct result r;
	int err;

	for (*count = 0; !(err = weft_fan_recv(d->fan, &r, WEFT_FOREVER));
	     ++*count)
		fprintf(d->out, "Processed: processed-data-%d-by-worker-%d\n",
		        r.item, r.worker);
	return err == -EPIPE ? 0 : err;
}

int fan_demo(FILE *out)
{
	struct demo d = { .out = out };
	const struct weft_fan_opts opts = {
		.fn = process,
		.arg = &d,
		.workers = WORKERS,
		.elem_size = sizeof(int),
		.out_size = sizeof(struct result),
	};
	struct weft_task *generator;
	int err, status, count;

	fprintf(out, "Distributing %d work items across %d workers...\n\n",
	        ITEMS, WORKERS);
	err = weft_fan_new(&d.fan, &opts);
	if (err)
		return err;
	err = weft_spawn(&generator, &(struct weft_task_opts){ "generate", 0 },
	                 generate, &d);
	if (err)
		goto free_fan;
	err = show_results(&d, &count);
	weft_join(generator, &status);
	err = err ? err : status;
	if (!err)
		fprintf(out,
		        "\nFan-out/Fan-in completed! Processed %d items.\n",
		        count);

free_fan:
	weft_fan_free(d.fan);
	return err;
}
