/*
 * The records of jobs: chunks that double in size, and a stack of those that
 * are free. They are used again, and freed with the pool only, so a task that
 * has the number of one may look at it; its generation says whether it is still
 * the job that was meant.
 *
 * The head of the stack is the index + 1 of the first record below, and above a
 * number that changes with every pop and push, so that a pop which was delayed
 * fails.
 */
#include <stdlib.h>

#include "internal.h"

#define HEAD_INDEX UINT64_C(0xffffffff)
#define HEAD_CHANGE (UINT64_C(1) << 32)

static unsigned chunk_of(uint32_t i)
{
	return 31u - (unsigned)__builtin_clz(i + TABLE_CHUNK_MIN) -
	       (unsigned)__builtin_ctz(TABLE_CHUNK_MIN);
}

static struct weft_job *at(const struct weft_pool *p, uint32_t i)
{
	unsigned k = chunk_of(i);
	struct weft_job *chunk = weft_load_acquire(&p->chunks[k]);

	return &chunk[i + TABLE_CHUNK_MIN - (TABLE_CHUNK_MIN << k)];
}

struct weft_job *weft_pool_record_at(const struct weft_pool *p, uint32_t i)
{
	return i < weft_load_acquire(&p->njobs) ? at(p, i) : NULL;
}

/* Push those from first to last, which are linked. */
static void push(struct weft_pool *p, struct weft_job *first,
                 struct weft_job *last)
{
	uint64_t head = weft_load_relaxed(&p->free_jobs), to;

	do {
		weft_store_relaxed(&last->next, (uint32_t)(head & HEAD_INDEX));
		to = ((head & ~HEAD_INDEX) + HEAD_CHANGE) | (first->index + 1);
	} while (!weft_cas_weak_acq_rel(&p->free_jobs, &head, to));
}

static struct weft_job *pop(struct weft_pool *p)
{
	uint64_t head = weft_load_acquire(&p->free_jobs), to;
	struct weft_job *job;

	do {
		if (!(head & HEAD_INDEX))
			return NULL;
		job = at(p, (uint32_t)(head & HEAD_INDEX) - 1);
		to = ((head & ~HEAD_INDEX) + HEAD_CHANGE) |
		     weft_load_relaxed(&job->next);
	} while (!weft_cas_weak_acq_rel(&p->free_jobs, &head, to));
	return job;
}

/* Make a chunk: its first record is the caller's. Under the lock. */
static struct weft_job *grow(struct weft_pool *p)
{
	uint32_t first = weft_load_relaxed(&p->njobs);
	unsigned k = chunk_of(first);
	uint32_t n = TABLE_CHUNK_MIN << k;
	struct weft_job *chunk;

	if (k == TABLE_CHUNKS)
		return NULL;
	chunk = cacheline_new(n, sizeof(*chunk));
	if (!chunk)
		return NULL;
	for (uint32_t i = 0; i < n; i++) {
		chunk[i].index = first + i;
		chunk[i].p = p;
		weft_store_relaxed(&chunk[i].next, first + i + 2);
		weft_waiters_init(&chunk[i].waiters);
	}
	weft_store_release(&p->chunks[k], chunk);
	weft_store_release(&p->njobs, first + n);
	push(p, &chunk[1], &chunk[n - 1]);
	return chunk;
}

struct weft_job *weft_pool_record(struct weft_pool *p)
{
	struct weft_job *job = pop(p);

	if (!job) {
		weft_lock_acquire(&p->growing);
		job = pop(p); /* another task may have grown it meanwhile */
		job = job ? job : grow(p);
		weft_lock_release(&p->growing);
	}
	if (job)
		weft_store_relaxed(
		        &job->word,
		        job_word(weft_load_relaxed(&job->word), JOB_NEW));
	return job;
}

void weft_pool_unref(struct weft_job *job, uint32_t n)
{
	uint64_t word;

	if (weft_fetch_sub_acq_rel(&job->refs, n) != n)
		return;
	word = weft_load_relaxed(&job->word);
	weft_store_relaxed(&job->word,
	                   (word & ~(JOB_GENERATION - 1)) + JOB_GENERATION);
	push(job->p, job, job);
}

void weft_pool_free_records(struct weft_pool *p)
{
	for (unsigned k = 0; k < TABLE_CHUNKS; k++)
		free(weft_load_relaxed(&p->chunks[k]));
}
