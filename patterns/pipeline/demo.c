/* The demo: ten random numbers are squared, then 10 is added to each. */
#include <errno.h>
#include <stdio.h>

#include "kernel/pattern.h"
#include "pipeline.h"

#define NUMBERS 10
#define GENERATE_MS 100
#define SQUARE_MS 150
#define ADD_MS 100

struct demo {
	FILE *out;
	struct weft_pipeline *pipeline;
};

/* What takes time in the real thing. */
static void pretend_to_work(int64_t ms)
{
	weft_sleep_until(weft_deadline_in(ms * WEFT_MS));
}

static int generate(void *arg)
{
	struct demo *d = arg;
	int number, err = 0;

	for (int i = 0; i < NUMBERS && !err; i++) {
		number = (int)(weft_rand() % 10) + 1;
		fprintf(d->out, "Generated: %d\n", number);
		err = weft_pipeline_send(d->pipeline, &number, WEFT_FOREVER);
		pretend_to_work(GENERATE_MS);
	}
	weft_pipeline_close(d->pipeline);
	return err;
}

static int square(const void *in, void *out, void *arg)
{
	const int *number = in;
	int *squared = out;
	struct demo *d = arg;

	pretend_to_work(SQUARE_MS);
	*squared = *number * *number;
	fprintf(d->out, "Squared %d -> %d\n", *number, *squared);
	return WEFT_EMIT;
}

static int add_ten(const void *in, void *out, void *arg)
{
	const int *number = in;
	int *sum = out;
	struct demo *d = arg;

	pretend_to_work(ADD_MS);
	*sum = *number + 10;
	fprintf(d->out, "Added 10 to %d -> %d\n", *number, *sum);
	return WEFT_EMIT;
}

/* Print results until the pipeline has ended. */
static int show_results(struct demo *d)
{
	int result, err;

	while (!(err = weft_pipeline_recv(d->pipeline, &result, WEFT_FOREVER)))
		fprintf(d->out, "Result: %d\n", result);
	return err == -EPIPE ? 0 : err;
}

int pipeline_demo(FILE *out)
{
	struct demo d = { .out = out };
	const struct weft_stage stages[] = {
		{ .name = "square", .fn = square, .arg = &d },
		{ .name = "add 10", .fn = add_ten, .arg = &d },
	};
	const struct weft_pipeline_opts opts = { .elem_size = sizeof(int) };
	struct weft_task *generator;
	int err, status;

	fprintf(out, "Pipeline stages:\n"
	             "1. Generate numbers\n"
	             "2. Square numbers\n"
	             "3. Add 10\n\n");
	err = weft_pipeline_new(&d.pipeline, stages, 2, &opts);
	if (err)
		return err;
	err = weft_spawn(&generator, &(struct weft_task_opts){ "generate", 0 },
	                 generate, &d);
	if (err)
		goto free_pipeline;
	err = show_results(&d);
	weft_join(generator, &status);
	err = err ? err : status;
	if (!err)
		fprintf(out, "Pipeline completed!\n");

free_pipeline:
	weft_pipeline_free(d.pipeline);
	return err;
}
