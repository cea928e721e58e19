/* What the tests of the mapreduce share: counting words. */
#ifndef WEFT_PATTERNS_MAPREDUCE_TESTING_H
#define WEFT_PATTERNS_MAPREDUCE_TESTING_H

#include <stdio.h>
#include <string.h>

#include <weft/atomic.h>

#include "mapreduce.h"
#include "testing/testing.h"
#include "words.h"

/* Emit (word, 1) for each word of a slice, up to the first error. */
static inline int map_words(struct weft_mapreduce_worker *to, const void *elem,
                            void *arg)
{
	struct weft_slice rest = *(const struct weft_slice *)elem, word;
	uint64_t one = 1;
	int err = 0;

	(void)arg;
	while (!err && weft_slice_word(&rest, weft_slice_letters, &word))
		err = weft_mapreduce_emit(to, word, &one);
	return err;
}

static inline void add(void *into, const void *value, void *arg)
{
	(void)arg;
	*(uint64_t *)into += *(const uint64_t *)value;
}

static inline int sum(struct weft_slice key, const void *values, size_t n,
                      void *out, void *arg)
{
	const uint64_t *v = values;

	(void)key;
	(void)arg;
	CHECK_EQ(*(uint64_t *)out, 0u);
	for (size_t i = 0; i < n; i++)
		*(uint64_t *)out += v[i];
	return WEFT_EMIT;
}

/* Options that count words; to be changed. */
static inline struct weft_mapreduce_opts words_opts(unsigned workers)
{
	return (struct weft_mapreduce_opts){
		.cap = 4,
		.elem_size = sizeof(struct weft_slice),
		.value_size = sizeof(uint64_t),
		.workers = workers,
		.sorted = true,
		.map = map_words,
		.reduce = sum,
	};
}

static inline struct weft_mapreduce *make(const struct weft_mapreduce_opts *o)
{
	struct weft_mapreduce *m;

	CHECK_EQ(weft_mapreduce_new(&m, o), 0);
	return m;
}

static inline struct weft_slice slice(const char *text)
{
	return (struct weft_slice){ text, strlen(text) };
}

/* Hand in all of a text and close. */
static inline void feed(struct weft_mapreduce *m, struct weft_slice text,
                        size_t chunk)
{
	CHECK_EQ(weft_mapreduce_split(m, &text, chunk, weft_slice_letters,
	                              WEFT_FOREVER),
	         0);
	CHECK_EQ(text.bytes, 0u);
	CHECK_EQ(weft_mapreduce_close(m), 0);
}

static inline struct weft_mapreduce_stats stats(const struct weft_mapreduce *m)
{
	struct weft_mapreduce_stats st;

	CHECK_EQ(weft_mapreduce_stats(m, &st), 0);
	return st;
}

static inline bool is_key(struct weft_mapreduce_pair p, const char *key)
{
	return p.key.bytes == strlen(key) &&
	       memcmp(p.key.at, key, p.key.bytes) == 0;
}

/* The next result is that of `key`, and so much. */
static inline void expect_next(struct weft_mapreduce *m, const char *key,
                               uint64_t n)
{
	struct weft_mapreduce_pair p;

	CHECK_EQ(weft_mapreduce_recv(m, &p, WEFT_FOREVER), 0);
	CHECK(is_key(p, key));
	CHECK_EQ(*(const uint64_t *)p.value, n);
}

static inline void expect_end(struct weft_mapreduce *m, int err)
{
	struct weft_mapreduce_pair p;

	CHECK_EQ(weft_mapreduce_recv(m, &p, WEFT_FOREVER), err);
}

/* What comes of a text in chunks: "a 2 b 1", or the error. For stats, until it
 * is freed. */
static inline struct weft_mapreduce *
expect_counts(const struct weft_mapreduce_opts *o, struct weft_slice text,
              size_t chunk, const char *counts, int err)
{
	const unsigned char *word = weft_slice_not_spaces;
	struct weft_slice rest = slice(counts), key, n;
	struct weft_mapreduce *m = make(o);
	struct weft_mapreduce_pair p;

	feed(m, text, chunk);
	while (weft_slice_word(&rest, word, &key) &&
	       weft_slice_word(&rest, word, &n)) {
		CHECK_EQ(weft_mapreduce_recv(m, &p, WEFT_FOREVER), 0);
		CHECK_EQ(p.key.bytes, key.bytes);
		CHECK_EQ(memcmp(p.key.at, key.at, key.bytes), 0);
		CHECK_EQ(*(const uint64_t *)p.value, strtoul(n.at, NULL, 10));
	}
	expect_end(m, err);
	return m;
}

#endif
