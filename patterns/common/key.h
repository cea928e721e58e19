/* key: bytes of any length that stand for something: their hash, and whether
 * they are the same. Most are short, so there is no call for 16 and less. */
#ifndef WEFT_PATTERNS_COMMON_KEY_H
#define WEFT_PATTERNS_COMMON_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define KEY_HASH_A UINT64_C(0xa0761d6478bd642f)
#define KEY_HASH_B UINT64_C(0xe7037ed1a0b428db)

__extension__ typedef unsigned __int128 key_wide;

static inline uint64_t key_mix(uint64_t a, uint64_t b)
{
	key_wide product = (key_wide)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t key_load8(const char *at)
{
	uint64_t v;

	memcpy(&v, at, sizeof(v));
	return v;
}

static inline uint64_t key_load4(const char *at)
{
	uint32_t v;

	memcpy(&v, at, sizeof(v));
	return v;
}

/* Every byte, some of them twice, of 16 at most. */
static inline uint64_t key_hash_short(const char *at, size_t n, uint64_t seed)
{
	uint64_t a = 0, b = 0;

	if (n >= 8) {
		a = key_load8(at);
		b = key_load8(at + n - 8);
	} else if (n >= 4) {
		a = key_load4(at);
		b = key_load4(at + n - 4);
	} else if (n > 0) {
		a = (uint64_t)(unsigned char)at[0] << 16 |
		    (uint64_t)(unsigned char)at[n / 2] << 8 |
		    (uint64_t)(unsigned char)at[n - 1];
	}
	return key_mix(a ^ KEY_HASH_A, b ^ seed);
}

/* In the manner of wyhash (public domain): multiply, and fold the product. */
static inline uint64_t key_hash(const char *at, size_t bytes, uint64_t seed)
{
	size_t left = bytes;

	for (; left > 16; at += 16, left -= 16)
		seed = key_mix(key_load8(at) ^ KEY_HASH_A,
		               key_load8(at + 8) ^ seed);
	return key_mix(key_hash_short(at, left, seed), KEY_HASH_B ^ bytes);
}

static inline bool key_is_same(const char *a, const char *b, size_t n)
{
	if (n > 16)
		return memcmp(a, b, n) == 0;
	if (n >= 8)
		return key_load8(a) == key_load8(b) &&
		       key_load8(a + n - 8) == key_load8(b + n - 8);
	if (n >= 4)
		return key_load4(a) == key_load4(b) &&
		       key_load4(a + n - 4) == key_load4(b + n - 4);
	return n == 0 ||
	       (a[0] == b[0] && a[n / 2] == b[n / 2] && a[n - 1] == b[n - 1]);
}

#endif
