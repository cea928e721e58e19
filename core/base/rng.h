/*
 * rng: seeded random numbers, the same on every machine.
 *
 * The generator is xoshiro256** and its seeding SplitMix64, both by Blackman
 * and Vigna (prng.di.unimi.it, public domain). Not for secrets. One generator
 * belongs to one task.
 */
#ifndef WEFT_BASE_RNG_H
#define WEFT_BASE_RNG_H

#include <stdint.h>

struct rng {
	uint64_t s[4];
};

/* One step of SplitMix64. Also a good mixer of a single number. */
static inline uint64_t rng_mix(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static inline void rng_seed(struct rng *r, uint64_t seed)
{
	for (int i = 0; i < 4; i++)
		r->s[i] = rng_mix(&seed);
}

static inline uint64_t rng_rotl(uint64_t x, int k)
{
	return (x << k) | (x >> (64 - k));
}

static inline uint64_t rng_next(struct rng *r)
{
	uint64_t *s = r->s;
	uint64_t out = rng_rotl(s[1] * 5, 7) * 9;
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rng_rotl(s[3], 45);
	return out;
}

__extension__ typedef unsigned __int128 rng_wide;

/* Uniform in [0, n), n >= 1, by Lemire's multiplication; the bias is below
 * n / 2^64. */
static inline uint64_t rng_below(struct rng *r, uint64_t n)
{
	return (uint64_t)(((rng_wide)rng_next(r) * n) >> 64);
}

#endif
