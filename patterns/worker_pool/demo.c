/* The demo: fifteen jobs, three workers. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "kernel/pattern.h"
#include "pool.h"

#define WORKERS 3
#define JOBS 15
#define WORK_MS_MIN 200
#define WORK_MS_MAX 500

struct job {
	FILE *out;
	int id;
	struct weft_job *handle;
};

static int process(void *arg, unsigned worker)
{
	const struct job *job = arg;
	int64_t ms = WORK_MS_MIN +
	             (int64_t)(weft_rand() % (WORK_MS_MAX - WORK_MS_MIN));

	fprintf(job->out,
	        "Worker %u processing job %d (will take %" PRId64 "ms)\n",
	        worker + 1, job->id, ms);
	weft_sleep_until(weft_deadline_in(ms * WEFT_MS));
	fprintf(job->out, "Worker %u finished job %d\n", worker + 1, job->id);
	return job->id * 2;
}

static int send(struct weft_pool *p, struct job *job)
{
	const struct weft_job_opts opts = { .handle = &job->handle };

	/* Before it is sent: a worker's line cannot come first. */
	fprintf(job->out, "Sending job %d to pool\n", job->id);
	return weft_pool_submit_job(p, process, job, &opts, WEFT_FOREVER);
}

static int show_results(struct job *jobs, int sent, int *sum)
{
	int err = 0, result;

	for (int i = 0; i < sent; i++) {
		if (!err)
			err = weft_job_wait(jobs[i].handle, &result,
			                    WEFT_FOREVER);
		if (!err) {
			fprintf(jobs[i].out, "Result of job %d: %d\n",
			        jobs[i].id, result);
			*sum += 1;
		}
		weft_job_release(jobs[i].handle);
	}
	return err;
}

int worker_pool_demo(FILE *out)
{
	const struct weft_pool_opts opts = { .workers = WORKERS, .cap = JOBS };
	struct job jobs[JOBS];
	struct weft_pool *p;
	int err = weft_pool_new(&p, &opts), sent = 0, done = 0, last;

	if (err)
		return err;
	for (int i = 1; i <= WORKERS; i++)
		fprintf(out, "Worker %d started\n", i);
	for (; sent < JOBS && !err; sent += !err) {
		jobs[sent] = (struct job){ out, sent + 1, NULL };
		err = send(p, &jobs[sent]);
	}
	weft_pool_close(p);
	last = show_results(jobs, sent, &done);
	err = err ? err : last;
	if (!err)
		err = weft_pool_join(p, WEFT_FOREVER);
	if (!err)
		fprintf(out,
		        "Worker Pools example completed! Processed %d jobs "
		        "with %d workers.\n",
		        done, WORKERS);
	weft_pool_free(p);
	return err;
}
