/* The demo: the words of eight lines, counted by two workers. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "kernel/pattern.h"
#include "mapreduce.h"

#define WORKERS 2
#define WORD_MAX 32

static const char *const lines[] = {
	"hello world", "hello go",
	"world of",    "concurrency go programming",
	"concurrency", "patterns hello concurrency",
	"go world",    "patterns in go",
};
#define LINES (sizeof(lines) / sizeof(lines[0]))

/* Words that differ only in case are the same. */
static int map(struct weft_mapreduce_worker *to, const void *elem, void *arg)
{
	const char *line = *(const char *const *)elem;
	struct weft_slice rest = { line, strlen(line) }, word;
	FILE *out = arg;
	char lower[WORD_MAX];
	uint64_t one = 1;
	int err = 0;

	while (!err && weft_slice_word(&rest, weft_slice_letters, &word)) {
		for (size_t i = 0; i < word.bytes; i++)
			lower[i] = (char)tolower((unsigned char)word.at[i]);
		word.at = lower;
		fprintf(out, "Map: emitted (%.*s, 1)\n", (int)word.bytes,
		        lower);
		err = weft_mapreduce_emit(to, word, &one);
	}
	return err;
}

static int reduce(struct weft_slice key, const void *values, size_t n,
                  void *result, void *arg)
{
	const uint64_t *counts = values;
	uint64_t *sum = result;
	FILE *out = arg;
	char list[2 * LINES * WORD_MAX] = "";
	size_t used = 0;

	for (size_t i = 0; i < n && used < sizeof(list) - 24; i++) {
		used += (size_t)snprintf(list + used, sizeof(list) - used,
		                         "%s%" PRIu64, i ? " " : "", counts[i]);
		*sum += counts[i];
	}
	fprintf(out, "Shuffle: grouped %.*s -> [%s]\n", (int)key.bytes, key.at,
	        list);
	fprintf(out, "Reduce: %.*s -> %" PRIu64 "\n", (int)key.bytes, key.at,
	        *sum);
	return WEFT_EMIT;
}

static int count(struct weft_mapreduce *m, FILE *out)
{
	struct weft_mapreduce_pair pair;
	int err = 0;

	for (size_t i = 0; i < LINES && !err; i++)
		err = weft_mapreduce_send(m, &lines[i], WEFT_FOREVER);
	if (!err)
		err = weft_mapreduce_close(m);
	if (!err)
		err = weft_mapreduce_recv(m, &pair, WEFT_FOREVER);
	if (!err)
		fprintf(out, "\nWord count results:\n");
	for (; !err; err = weft_mapreduce_recv(m, &pair, WEFT_FOREVER))
		fprintf(out, "  %.*s: %" PRIu64 "\n", (int)pair.key.bytes,
		        pair.key.at, *(const uint64_t *)pair.value);
	return err == -EPIPE ? 0 : err;
}

int mapreduce_demo(FILE *out)
{
	const struct weft_mapreduce_opts opts = {
		.elem_size = sizeof(const char *),
		.value_size = sizeof(uint64_t),
		.workers = WORKERS,
		.sorted = true,
		.map = map,
		.reduce = reduce,
		.arg = out,
	};
	struct weft_mapreduce *m;
	int err;

	fprintf(out, "Input data: [");
	for (size_t i = 0; i < LINES; i++)
		fprintf(out, "%s%s", i ? " " : "", lines[i]);
	fprintf(out, "]\n");
	err = weft_mapreduce_new(&m, &opts);
	if (err)
		return err;
	err = count(m, out);
	weft_mapreduce_free(m);
	if (!err)
		fprintf(out, "\nMapReduce example completed!\n");
	return err;
}
