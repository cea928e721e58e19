/*
 * words: texts for the kernel, made or read, and how often each word is in
 * them, counted by one task and by other means than the component's.
 */
#ifndef WEFT_PATTERNS_MAPREDUCE_WORDS_H
#define WEFT_PATTERNS_MAPREDUCE_WORDS_H

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <weft/weft.h>

#include "kernel/zipf.h"
#include "mapreduce.h"

#define WORDS_FILE_MAX (INT64_C(1) << 30)

/* --- counting --- */

struct word_count {
	struct weft_slice word; /* in the text; at NULL: a free place */
	uint64_t n;
	uint64_t seen; /* for the comparison */
};

/* All zeros is an empty one. */
struct words {
	struct word_count *at;
	size_t places, used; /* places: a power of two, or none */
};

/* FNV-1a. */
static inline size_t words_hash(struct weft_slice word)
{
	uint64_t hash = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < word.bytes; i++)
		hash = (hash ^ (unsigned char)word.at[i]) *
		       UINT64_C(1099511628211);
	return (size_t)(hash ^ hash >> 32);
}

/* The word's place, or the free one where it belongs; NULL when there is not
 * any. */
static inline struct word_count *words_find(const struct words *w,
                                            struct weft_slice word)
{
	size_t mask = w->places - 1;

	if (!w->places)
		return NULL;
	for (size_t i = words_hash(word) & mask;; i = (i + 1) & mask) {
		struct word_count *c = &w->at[i];

		if (!c->word.at ||
		    (c->word.bytes == word.bytes &&
		     memcmp(c->word.at, word.at, word.bytes) == 0))
			return c;
	}
}

/* Whether a word comes before another in the order of the results. */
static inline bool words_is_before(struct weft_slice a, struct weft_slice b)
{
	size_t both = a.bytes < b.bytes ? a.bytes : b.bytes;
	int order = memcmp(a.at, b.at, both);

	return order < 0 || (order == 0 && a.bytes < b.bytes);
}

static inline int words_grow(struct words *w)
{
	struct words old = *w;

	w->places = old.places ? 2 * old.places : 1024;
	w->at = calloc(w->places, sizeof(*w->at));
	if (!w->at) {
		*w = old;
		return -ENOMEM;
	}
	for (size_t i = 0; i < old.places; i++)
		if (old.at[i].word.at)
			*words_find(w, old.at[i].word) = old.at[i];
	free(old.at);
	return 0;
}

/* Count the word n times more. 0 or -ENOMEM. */
static inline int words_add(struct words *w, struct weft_slice word, uint64_t n)
{
	struct word_count *c;

	if (2 * (w->used + 1) > w->places && words_grow(w))
		return -ENOMEM;
	c = words_find(w, word);
	if (!c->word.at) {
		c->word = word;
		w->used++;
	}
	c->n += n;
	return 0;
}

static inline int words_count(struct words *w, struct weft_slice text)
{
	struct weft_slice word;
	int err = 0;

	while (!err && weft_slice_word(&text, weft_slice_letters, &word))
		err = words_add(w, word, 1);
	return err;
}

/* --- a text that is made --- */

/* Five letters that no other rank has, then none to four more. */
#define WORD_MAX 9
#define WORD_FIVE 11881376 /* 26^5 */

static inline size_t word_write(char *to, uint64_t rank)
{
	uint64_t code = (rank + 1) * 7919 % WORD_FIVE, more = rank % 5;

	for (size_t i = 0; i < 5 + more; i++) {
		to[i] = (char)('a' + code % 26);
		code = i < 4 ? code / 26 : code + 7 * (rank + 1);
	}
	return 5 + more;
}

/* Write `items` words to `to`, ten to a line; times[r] becomes how often rank r
 * is among them, and first[r] where. Returns the bytes. */
static inline size_t words_write(char *to, uint64_t items, const struct zipf *z,
                                 uint64_t *times, const char **first)
{
	struct rng rng;
	char *at = to;

	rng_seed(&rng, weft_rand());
	for (uint64_t i = 0; i < items; i++) {
		uint64_t rank = zipf_next(z, &rng);

		if (!times[rank]++)
			first[rank] = at;
		at += word_write(at, rank);
		*at++ = i % 10 == 9 ? '\n' : ' ';
	}
	return (size_t)(at - to);
}

/* What was written, without a look at it. */
static inline int words_expect(struct words *w, uint64_t ranks,
                               const uint64_t *times, const char *const *first)
{
	int err = 0;

	for (uint64_t r = 0; r < ranks && !err; r++)
		if (times[r])
			err = words_add(
			        w, (struct weft_slice){ first[r], 5 + r % 5 },
			        times[r]);
	return err;
}

/* A text of so many words, of a vocabulary, and their counts. The text is to be
 * freed. 0 or -ENOMEM. */
static inline int words_make(uint64_t items, uint64_t vocabulary, double s,
                             struct weft_slice *text, struct words *counts)
{
	char *to = malloc(items * (WORD_MAX + 1) + 1);
	uint64_t *times = calloc(vocabulary, sizeof(*times));
	const char **first = calloc(vocabulary, sizeof(*first));
	struct zipf z;
	int err = zipf_init(&z, vocabulary, s);

	*text = (struct weft_slice){ to, 0 };
	if (!to || !times || !first)
		err = -ENOMEM;
	if (!err) {
		text->bytes = words_write(to, items, &z, times, first);
		err = words_expect(counts, vocabulary, times, first);
	}
	zipf_fini(&z);
	free(times);
	free(first);
	return err;
}

/* --- a text that is read --- */

/* At first, for what does not say its size. */
#define WORDS_FILE_MIN 65536

/* Room for more, in a buffer of *room bytes that is full. */
static inline int words_more_room(struct weft_slice *text, size_t *room)
{
	size_t more = 2 * *room;
	char *to;

	if (text->bytes > WORDS_FILE_MAX)
		return -EFBIG;
	to = realloc((char *)(uintptr_t)text->at, more);
	if (!to)
		return -ENOMEM;
	text->at = to;
	*room = more;
	return 0;
}

/* To the end, wherever that is: `room` is how long the file said it was, or
 * more. */
static inline int words_read_all(int fd, struct weft_slice *text, size_t room)
{
	ssize_t n;
	int err;

	text->at = malloc(room);
	if (!text->at)
		return -ENOMEM;
	for (;;) {
		err = text->bytes == room ? words_more_room(text, &room) : 0;
		if (err)
			return err;
		n = read(fd, (char *)(uintptr_t)text->at + text->bytes,
		         room - text->bytes);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			return text->bytes > WORDS_FILE_MAX ? -EFBIG : 0;
		text->bytes += n > 0 ? (size_t)n : 0;
	}
}

/* Open a regular file. The descriptor, and how long the file says it is: 0 for
 * those of /proc, whatever they hold. Or -errno: -EISDIR, -ENOTSUP for what is
 * no file, -EFBIG above WORDS_FILE_MAX. */
static inline int words_open(const char *path, size_t *bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), err = 0;
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st))
		err = -errno;
	else if (S_ISDIR(st.st_mode))
		err = -EISDIR;
	else if (!S_ISREG(st.st_mode))
		err = -ENOTSUP;
	else if (st.st_size > WORDS_FILE_MAX)
		err = -EFBIG;
	if (err) {
		close(fd);
		return err;
	}
	*bytes = st.st_size > 0 ? (size_t)st.st_size : 0;
	return fd;
}

/* Read a file. The text is to be freed, also after an error. */
static inline int words_read(const char *path, struct weft_slice *text)
{
	size_t bytes = 0;
	int fd = words_open(path, &bytes), err;

	*text = (struct weft_slice){ NULL, 0 };
	if (fd < 0)
		return fd;
	/* One byte more than it takes, so that its end is found at once. */
	err = words_read_all(fd, text, bytes ? bytes + 1 : WORDS_FILE_MIN);
	close(fd);
	return err;
}

/* Take up to n words off; returns how many there were. */
static inline uint64_t words_skip(struct weft_slice *text, uint64_t n)
{
	struct weft_slice word;
	uint64_t i = 0;

	while (i < n && weft_slice_word(text, weft_slice_letters, &word))
		i++;
	return i;
}

/* A text of `items` words, made of another one that is over and over again; it
 * has some. */
static inline int words_repeat(struct weft_slice *text, uint64_t items)
{
	struct weft_slice rest = *text;
	uint64_t there = words_skip(&rest, items), left = items;
	size_t length = text->bytes - rest.bytes;
	char *to, *at;

	/* It may have changed since somebody looked. */
	if (!there && items)
		return -ENODATA;
	if (there == items) {
		text->bytes = length;
		return 0;
	}
	to = malloc((items / there + 1) * (length + 1));
	if (!to)
		return -ENOMEM;
	for (at = to; left; left -= there) {
		rest = *text;
		there = words_skip(&rest, left);
		length = text->bytes - rest.bytes;
		memcpy(at, text->at, length);
		at += length;
		*at++ = '\n';
	}
	free((char *)(uintptr_t)text->at);
	*text = (struct weft_slice){ to, (size_t)(at - to) };
	return 0;
}

#endif
