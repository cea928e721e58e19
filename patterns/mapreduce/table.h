/*
 * table: the pairs of one partition, by key, in memory of its own.
 *
 * Open addressing; what a slot points to never moves, so entries of one table
 * may be linked into another.
 */
#ifndef WEFT_PATTERNS_MAPREDUCE_TABLE_H
#define WEFT_PATTERNS_MAPREDUCE_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "mapreduce.h"

/* What all tables of a component have in common. */
struct table_kind {
	size_t value_size, key_at; /* in an entry */
	void (*combine)(void *into, const void *value, void *arg);
	void *arg;
	uint64_t seed;
};

/* Values beyond the first; newest block first. */
struct values {
	struct values *older;
	size_t n, room;
	unsigned char at[];
};

/* A key. Its first value follows, then the key itself. */
struct entry {
	struct entry *twin; /* the same key in another worker's table */
	struct values *more;
	size_t n; /* values; 0 once they have been given to somebody */
	size_t key_bytes;
	unsigned char value[];
};

struct slot {
	uint64_t hash;
	struct entry *entry; /* NULL: free */
};

/* All zeros is an empty one. */
struct table {
	_Alignas(WEFT_CACHE_LINE) struct slot *slots;
	size_t nslots, used; /* slots: a power of two, or none */
	struct block *blocks;
	unsigned char *at;
	size_t left; /* bytes of the newest block */
	_Atomic size_t bytes;
};

static inline struct weft_slice entry_key(const struct table_kind *k,
                                          const struct entry *e)
{
	return (struct weft_slice){ (const char *)e + k->key_at, e->key_bytes };
}

uint64_t weft_table_hash(const struct table_kind *k, struct weft_slice key);

/* Put a pair in. *held becomes how many values more are kept: 0 or 1. Returns
 * 0 or -ENOMEM, and then nothing has changed. */
int weft_table_put(struct table *t, const struct table_kind *k, uint64_t hash,
                   struct weft_slice key, const void *value, size_t *held);

/* Take in all keys of another: those that are there already get a twin. 0 or
 * -ENOMEM. */
int weft_table_join(struct table *t, const struct table_kind *k,
                    const struct table *other);

/* How many values an entry and its twins have. */
size_t weft_table_values(const struct entry *e);

/* Copy them to `to`; they are the caller's now, and the entries have none. */
void weft_table_take(struct entry *e, const struct table_kind *k,
                     unsigned char *to, size_t n);

/* Call drop for each value that is left. */
void weft_table_drop(struct table *t, const struct table_kind *k,
                     void (*drop)(void *value, void *arg), void *arg);

/* Free the memory; what other tables have of it is gone as well. */
void weft_table_free(struct table *t);

#endif
