/*
 * zipf: ranks by Zipf's law, in constant time each: place i stands for i or for
 * other[i] (Walker's alias method, as made by Vose).
 */
#ifndef WEFT_PATTERNS_KERNEL_ZIPF_H
#define WEFT_PATTERNS_KERNEL_ZIPF_H

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/rng.h"

struct zipf {
	uint64_t n;
	double *own; /* the share of place i that is i's */
	uint64_t *other;
};

static inline void zipf_fini(struct zipf *z)
{
	free(z->own);
	free(z->other);
}

/* Deal the places: those with less than a whole share are filled up by those
 * that have more. */
static inline void zipf_deal(struct zipf *z, uint64_t *todo)
{
	uint64_t small = 0, large = z->n; /* the ends of two stacks */

	for (uint64_t i = 0; i < z->n; i++) {
		z->other[i] = i;
		todo[z->own[i] < 1 ? small++ : --large] = i;
	}
	while (small > 0 && large < z->n) {
		uint64_t poor = todo[--small], rich = todo[large];

		z->other[poor] = rich;
		z->own[rich] -= 1 - z->own[poor];
		if (z->own[rich] < 1) {
			large++;
			todo[small++] = rich;
		}
	}
}

/* n ranks, of which i comes as often as (i + 1)^-s. 0 or -ENOMEM; to be
 * finished either way. */
static inline int zipf_init(struct zipf *z, uint64_t n, double s)
{
	uint64_t *todo = calloc(n, sizeof(*todo));
	double sum = 0;

	*z = (struct zipf){ .n = n,
		            .own = calloc(n, sizeof(double)),
		            .other = calloc(n, sizeof(uint64_t)) };
	if (!todo || !z->own || !z->other) {
		free(todo);
		return -ENOMEM;
	}
	for (uint64_t i = 0; i < n; i++)
		sum += z->own[i] = pow((double)(i + 1), -s);
	for (uint64_t i = 0; i < n; i++)
		z->own[i] *= (double)n / sum;
	zipf_deal(z, todo);
	free(todo);
	return 0;
}

static inline uint64_t zipf_next(const struct zipf *z, struct rng *rng)
{
	uint64_t i = rng_below(rng, z->n);
	double share = (double)(rng_next(rng) >> 11) * 0x1p-53;

	return share < z->own[i] ? i : z->other[i];
}

#endif
