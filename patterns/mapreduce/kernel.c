/*
 * The kernel: how often is each word in a text? One driver cuts it into chunks,
 * hands them in, and takes the counts; every run is compared with a count that
 * is known otherwise.
 *
 *	local     the component, with partitions of each worker's own
 *	sharded   the same, with a lock for each of common partitions
 *	locked    the same, with one lock for all: one map under one lock
 *	stream    the component's fold, in order: a checksum of the text, which
 *	          is another when two chunks change places
 *	serial    no component, and one task: what a loop takes for it
 *
 * An item is a word. The text is made, with words as frequent as Zipf's law has
 * it, or read from a file; then it is that file once, unless `items` says how
 * many words of it, over and over again.
 */
#include <weft/patterns/mapreduce.h>

#include "kernel/kernel.h"
#include "words.h"

enum variant { LOCAL, SHARDED, LOCKED, STREAM, SERIAL };

#define WORKERS_MAX 256
#define ITEMS_DEFAULT 262144

static const char *const variant_choices[] = { "local",  "sharded", "locked",
	                                       "stream", "serial",  NULL };

static const struct knob knobs[] = {
	KNOB_CHOICE("variant", "where pairs go, or what is done instead", LOCAL,
	            SERIAL, variant_choices,
	            "local,sharded,locked,stream,serial"),
	KNOB_COUNT("workers", "tasks that map", 2, 1, WORKERS_MAX, "1,2,4"),
	KNOB_COUNT("reducers", "tasks that reduce; 0 = as many", 0, 0,
	           WORKERS_MAX, "0,1,4"),
	KNOB_COUNT("partitions", "of the keys; 0 = 4 for each reducer", 0, 0,
	           4096, "0,1,64"),
	{ "chunk", "B", "bytes of the text that are handed in together", 65536,
	  1, 1 << 26, NULL, "4096,65536,1048576" },
	KNOB_COUNT("combine", "1: count while mapping; 0: keep all pairs", 1, 0,
	           1, "0,1"),
	KNOB_COUNT("sorted", "1: results in the order of the words", 1, 0, 1,
	           "0,1"),
	KNOB_COUNT("vocabulary", "different words", 10000, 1, 1000000,
	           "100,10000,1000000"),
	{ "skew", "%", "of Zipf's law: 0 = all words alike", 100, 0, 500, NULL,
	  "0,100,120" },
	KNOB_TEXT("input", "a file to count the words of instead"),
	KNOB_CAP(64, "0,1,64"),
	{ "items", "words", "words per run; 0 = all of the input, or 262144", 0,
	  0, KERNEL_ITEMS_MAX, NULL, "0" },
	KNOB_WAIT,
	KNOB_END,
};

/* A checksum of bytes, of which those of two parts make that of the whole:
 * polynomials, one behind the other. */
struct sum {
	uint64_t of, power; /* power: of the base, for so many bytes */
};

#define SUM_BASE UINT64_C(0x9e3779b97f4a7c15)

/* One worker's, written by its task. */
struct worker {
	_Alignas(WEFT_CACHE_LINE) uint64_t corrupt; /* chunks */
};

struct state {
	struct weft_mapreduce *mapreduce;
	struct weft_slice text;
	struct words expected, serial;
	struct sum expected_sum, sum;
	uint64_t *starts; /* of the words, where they are paced; and the end */
	struct worker *worker;
	unsigned workers;
	size_t chunk;

	/* What has come out: up to `room` of them. */
	struct weft_mapreduce_pair *got;
	size_t n, room;
	int64_t ns, load_ns;
};

static bool has_input(const struct params *p)
{
	return param(p, "input");
}

/* --- what the parameters mean --- */

/* Why a file will not do, beside what the system says of it. */
static const char *why_not(int err)
{
	switch (err) {
	case -ENOTSUP:
		return "not a regular file";
	case -ENODATA:
		return "there is not one word in it (of the letters A to Z and "
		       "a to z)";
	case -EFBIG:
		return "more than 1 GiB";
	default:
		return strerror(-err);
	}
}

/* How many words a file has, up to `most`, and how many bytes those take. 0 or
 * -errno. */
static int count_file(const char *path, uint64_t most, uint64_t *n,
                      size_t *bytes)
{
	struct weft_slice text, rest;
	int err = words_read(path, &text);

	rest = text;
	*n = err ? 0 : words_skip(&rest, most);
	*bytes = text.bytes - rest.bytes;
	free((char *)(uintptr_t)text.at);
	return !err && !*n ? -ENODATA : err;
}

/* The most items that a text may have in which so many words, of so many bytes,
 * come over and over again. */
static uint64_t most_items(uint64_t words, size_t bytes)
{
	uint64_t times = (uint64_t)WORDS_FILE_MAX / (bytes + 1);

	return times > 1 ? times * words : words;
}

static int accept(const struct params *p, struct text *why)
{
	uint64_t n, asked = (uint64_t)param(p, "items");
	size_t bytes;
	int err;

	if (!has_input(p))
		return 0;
	err = count_file(p->text, (uint64_t)KERNEL_ITEMS_MAX + 1, &n, &bytes);
	if (err)
		text_add(why, "input=%s: %s", p->text, why_not(err));
	else if (n > (uint64_t)KERNEL_ITEMS_MAX)
		text_add(why, "input=%s: more than %" PRId64 " words", p->text,
		         KERNEL_ITEMS_MAX);
	else if (asked > most_items(n, bytes))
		text_add(why,
		         "items=%" PRIu64 ": more than 1 GiB of input=%s, "
		         "allowed 0..%" PRIu64,
		         asked, p->text, most_items(n, bytes));
	else
		return 0;
	return -EINVAL;
}

static uint64_t items(const struct params *p)
{
	uint64_t n = ITEMS_DEFAULT;
	size_t bytes;

	if (has_input(p))
		(void)count_file(p->text, (uint64_t)KERNEL_ITEMS_MAX, &n,
		                 &bytes);
	return n;
}

/* A byte of a text is counted, twice, in no less. */
#define BYTE_NS 5

/* Words that are made are short, those of a file of any length. */
static double least_ns(const struct params *p, uint64_t items)
{
	uint64_t n;
	size_t bytes;

	if (!has_input(p) ||
	    count_file(p->text, (uint64_t)KERNEL_ITEMS_MAX, &n, &bytes))
		return 0;
	return (double)items / (double)n * (double)bytes * BYTE_NS;
}

static void shape(const struct params *p, struct cell_shape *out)
{
	unsigned workers = (unsigned)param(p, "workers");
	unsigned reducers = (unsigned)param(p, "reducers");

	out->elem_size = sizeof(struct weft_slice);
	if (param(p, "variant") == SERIAL)
		return;
	out->receivers = out->consumers = workers;
	out->helpers = workers;
	if (param(p, "variant") != STREAM && reducers > workers)
		out->helpers = reducers;
}

/* --- the text --- */

static struct sum sum_of(struct weft_slice text)
{
	struct sum s = { 0, 1 };

	for (size_t i = 0; i < text.bytes; i++) {
		s.of = s.of * SUM_BASE + (unsigned char)text.at[i];
		s.power *= SUM_BASE;
	}
	return s;
}

static int read_text(struct cell *cell, struct state *s)
{
	int64_t begin = weft_now();
	int err = words_read(cell->params.text, &s->text);

	s->load_ns = weft_now() - begin;
	if (!err)
		err = words_repeat(&s->text, cell->items);
	return err ? err : words_count(&s->expected, s->text);
}

static int make_text(struct cell *cell, struct state *s)
{
	const struct params *p = &cell->params;

	if (has_input(p))
		return read_text(cell, s);
	return words_make(cell->items, (uint64_t)param(p, "vocabulary"),
	                  (double)param(p, "skew") / 100, &s->text,
	                  &s->expected);
}

/* Where each word begins, for chunks of those that are due. */
static int find_starts(struct cell *cell, struct state *s)
{
	struct weft_slice rest = s->text, word;
	uint64_t i = 0;

	s->starts = calloc(cell->items + 1, sizeof(*s->starts));
	if (!s->starts)
		return -ENOMEM;
	while (i < cell->items &&
	       weft_slice_word(&rest, weft_slice_letters, &word))
		s->starts[i++] = (uint64_t)(word.at - s->text.at);
	s->starts[i] = s->text.bytes;
	s->starts[0] = 0; /* with what is before the first */
	return 0;
}

/* --- the functions of the component --- */

static bool is_of_text(const struct state *s, struct weft_slice piece)
{
	uintptr_t from = (uintptr_t)piece.at - (uintptr_t)s->text.at;

	return from <= s->text.bytes && piece.bytes <= s->text.bytes - from;
}

/* The words of a chunk have been mapped by a worker. */
static void note(struct cell *cell, unsigned worker, struct weft_slice piece,
                 uint64_t words)
{
	const struct state *s = cell->state;
	uint64_t from = (uint64_t)(piece.at - s->text.at), first = 0;
	uint64_t beyond = cell->items;
	int64_t now = kernel_now(cell);

	cell->share[worker] += words;
	if (!cell->timed)
		return;
	while (first < beyond) {
		uint64_t middle = first + (beyond - first) / 2;

		if (s->starts[middle] < from)
			first = middle + 1;
		else
			beyond = middle;
	}
	for (uint64_t i = 0; i < words; i++)
		kernel_record_at(cell, worker, first + i, now);
}

static int map_words(struct weft_mapreduce_worker *to, const void *elem,
                     void *arg)
{
	static const uint64_t one = 1;
	struct cell *cell = arg;
	struct state *s = cell->state;
	unsigned id = weft_mapreduce_worker_id(to);
	struct weft_slice piece, rest, word;
	uint64_t n = 0;
	int err = 0;

	memcpy(&piece, elem, sizeof(piece));
	if (!is_of_text(s, piece)) {
		s->worker[id].corrupt++;
		return 0;
	}
	rest = piece;
	for (; !err && weft_slice_word(&rest, weft_slice_letters, &word); n++)
		err = weft_mapreduce_emit(to, word, &one);
	note(cell, id, piece, n);
	return err;
}

static void add_up(void *into, const void *value, void *arg)
{
	(void)arg;
	*(uint64_t *)into += *(const uint64_t *)value;
}

static int reduce_words(struct weft_slice key, const void *values, size_t n,
                        void *out, void *arg)
{
	const uint64_t *count = values;
	uint64_t *sum = out;

	(void)key;
	(void)arg;
	for (size_t i = 0; i < n; i++)
		*sum += count[i];
	return WEFT_EMIT;
}

static int map_sum(struct weft_mapreduce_worker *to, const void *elem,
                   void *arg)
{
	struct cell *cell = arg;
	struct state *s = cell->state;
	unsigned id = weft_mapreduce_worker_id(to);
	struct weft_slice piece, rest;
	struct sum sum;

	memcpy(&piece, elem, sizeof(piece));
	if (!is_of_text(s, piece)) {
		s->worker[id].corrupt++;
		return 0;
	}
	sum = sum_of(piece);
	rest = piece;
	note(cell, id, piece, words_skip(&rest, UINT64_MAX));
	return weft_mapreduce_emit(to, (struct weft_slice){ NULL, 0 }, &sum);
}

/* *acc is all zeros at first, where the power of none would be 1. */
static int fold_sum(void *acc, const void *value, void *arg)
{
	struct sum *sum = acc;
	const struct sum *next = value;

	(void)arg;
	sum->of = sum->of * next->power + next->of;
	sum->power = (sum->power ? sum->power : 1) * next->power;
	return 0;
}

/* --- setup and teardown --- */

static int make(struct cell *cell, struct state *s)
{
	const struct params *p = &cell->params;
	struct weft_mapreduce_opts opts = {
		.impl = cell->chan,
		.cap = cell->cap,
		.elem_size = sizeof(struct weft_slice),
		.value_size = sizeof(uint64_t),
		.wait = cell->wait,
		.workers = s->workers,
		.reducers = (unsigned)param(p, "reducers"),
		.partitions = (unsigned)param(p, "partitions"),
		.sorted = param(p, "sorted"),
		.map = map_words,
		.combine = param(p, "combine") ? add_up : NULL,
		.reduce = reduce_words,
		.arg = cell,
	};

	if (cell->variant == SHARDED)
		opts.shuffle = WEFT_SHUFFLE_SHARDED;
	if (cell->variant == LOCKED)
		opts.shuffle = WEFT_SHUFFLE_LOCKED;
	if (cell->variant == STREAM) {
		opts.value_size = sizeof(struct sum);
		opts.sorted = false;
		opts.map = map_sum;
		opts.combine = NULL;
		opts.reduce = NULL;
		opts.fold = fold_sum;
	}
	return weft_mapreduce_new(&s->mapreduce, &opts);
}

static int setup(struct cell *cell)
{
	struct state *s = cell->state;
	int err;

	s->workers = (unsigned)param(&cell->params, "workers");
	s->chunk = (size_t)param(&cell->params, "chunk");
	s->worker = cacheline_new(s->workers, sizeof(*s->worker));
	err = s->worker ? make_text(cell, s) : -ENOMEM;
	if (!err && cell->pace_ns > 0)
		err = find_starts(cell, s);
	if (err)
		return err;
	if (cell->variant == STREAM)
		s->expected_sum = sum_of(s->text);
	/* More than there should be, so as to tell what they are. */
	s->room = s->expected.used + 1000;
	s->got = calloc(s->room, sizeof(*s->got));
	if (!s->got)
		return -ENOMEM;
	return cell->variant == SERIAL ? 0 : make(cell, s);
}

static void teardown(struct cell *cell)
{
	struct state *s = cell->state;

	weft_mapreduce_free(s->mapreduce);
	free((char *)(uintptr_t)s->text.at);
	free(s->expected.at);
	free(s->serial.at);
	free(s->starts);
	free(s->worker);
	free(s->got);
}

static void halt(struct cell *cell)
{
	struct state *s = cell->state;

	if (s->mapreduce)
		weft_mapreduce_stop(s->mapreduce);
}

/* --- the driver --- */

static int hand_in(struct cell *cell, struct weft_slice piece)
{
	struct state *s = cell->state;
	struct weft_slice rest = piece;
	int err;

	if (s->mapreduce)
		return weft_mapreduce_send(s->mapreduce, &piece, WEFT_FOREVER);
	err = words_count(&s->serial, piece);
	note(cell, 0, piece, words_skip(&rest, cell->timed ? UINT64_MAX : 0));
	return err;
}

/* Chunks of the words that are due. */
static int hand_in_paced(struct cell *cell, struct state *s)
{
	uint64_t n, left;
	int err = 0;

	for (uint64_t i = 0; i < cell->items && !err; i += n) {
		uint64_t from = s->starts[i];

		left = cell->items - i;
		n = s->chunk / 8 + 1;
		n = pace_batch(cell, i, 1, n < left ? n : left);
		err = hand_in(cell,
		              (struct weft_slice){ s->text.at + from,
		                                   s->starts[i + n] - from });
	}
	return err;
}

static int hand_in_all(struct cell *cell, struct state *s)
{
	struct weft_slice rest = s->text;
	int err = 0;

	if (cell->pace_ns > 0)
		return hand_in_paced(cell, s);
	if (s->mapreduce)
		return weft_mapreduce_split(s->mapreduce, &rest, s->chunk,
		                            weft_slice_letters, WEFT_FOREVER);
	while (rest.bytes && !err)
		err = hand_in(cell, weft_slice_cut(&rest, s->chunk,
		                                   weft_slice_letters));
	return err;
}

static int take_all(struct state *s)
{
	struct weft_mapreduce_pair pair;
	int err = weft_mapreduce_close(s->mapreduce);

	while (!err) {
		err = weft_mapreduce_recv(s->mapreduce, &pair, WEFT_FOREVER);
		if (!err && s->n < s->room)
			s->got[s->n] = pair;
		s->n += !err;
	}
	return err;
}

static void run_driver(struct cell *cell, unsigned id)
{
	struct state *s = cell->state;
	int err = hand_in_all(cell, s);

	(void)id;
	if (!err)
		err = s->mapreduce ? take_all(s) : -EPIPE;
	s->ns = weft_now() - cell->t0;
	if (!s->mapreduce && !cell->timed)
		cell->share[0] = cell->items;
	kernel_end(cell, err);
}

/* --- afterwards --- */

struct findings {
	uint64_t lost, extra, alien, twice, unsorted;
	struct weft_slice first; /* of what was lost, extra, alien or twice */
};

static void find(struct findings *f, uint64_t *what, uint64_t n,
                 struct weft_slice word)
{
	if (n && !f->first.at)
		f->first = word;
	*what += n;
}

/* A word has come out with its count. */
static void check(const struct words *expected, struct weft_slice word,
                  uint64_t n, struct findings *f)
{
	struct word_count *c = words_find(expected, word);

	if (!c || !c->word.at) {
		find(f, &f->alien, 1, word);
		return;
	}
	find(f, &f->twice, c->seen > 0, word);
	find(f, &f->extra, n > c->n ? n - c->n : 0, word);
	find(f, &f->lost, n < c->n ? c->n - n : 0, word);
	c->seen++;
}

static void check_all(const struct cell *cell, const struct state *s,
                      struct findings *f)
{
	bool sorted = param(&cell->params, "sorted");
	size_t n = s->n < s->room ? s->n : s->room;

	for (size_t i = 0; i < n; i++) {
		const struct weft_mapreduce_pair *p = &s->got[i];

		check(&s->expected, p->key, *(const uint64_t *)p->value, f);
		if (sorted && i && !words_is_before(p[-1].key, p->key))
			f->unsorted++;
	}
	for (size_t i = 0; i < s->serial.places; i++)
		if (s->serial.at[i].word.at)
			check(&s->expected, s->serial.at[i].word,
			      s->serial.at[i].n, f);
	for (size_t i = 0; i < s->expected.places; i++) {
		const struct word_count *c = &s->expected.at[i];

		if (c->word.at && !c->seen)
			find(f, &f->lost, c->n, c->word);
	}
}

static void look_at_words(struct cell *cell, struct state *s, struct text *why)
{
	struct findings f = { 0 };
	size_t before = why->used;

	check_all(cell, s, &f);
	text_count(why, "words were lost", f.lost);
	text_count(why, "words were counted too often", f.extra);
	text_count(why, "words are not in the text", f.alien);
	text_count(why, "words have come out twice", f.twice);
	if (why->used > before)
		text_add(why, ", the first of them '%.*s'",
		         f.first.bytes < 20 ? (int)f.first.bytes : 20,
		         f.first.at);
	text_count(why, "words are out of order", f.unsorted);
}

static void look_at_sum(struct state *s, struct text *why)
{
	if (s->n == 1)
		memcpy(&s->sum, s->got[0].value, sizeof(s->sum));
	if (s->n != 1)
		text_find(why, "%zu results and not 1", s->n);
	else if (s->sum.of != s->expected_sum.of)
		text_find(why,
		          "the checksum is %016" PRIx64 " and not %016" PRIx64
		          ": something of the text was lost, came twice, out "
		          "of order, or was never sent",
		          s->sum.of, s->expected_sum.of);
}

static void tell_times(struct cell *cell, struct state *s)
{
	struct weft_mapreduce_stats st;
	double mean;

	if (weft_mapreduce_stats(s->mapreduce, &st))
		return;
	mean = (double)st.emitted / s->workers;
	cell_figure(cell, "map", "ms", "", (double)st.map_ns / 1e6);
	if (cell->variant != STREAM) {
		cell_figure(cell, "shuffle", "ms", "all reducers together",
		            (double)st.shuffle_ns / 1e6);
		cell_figure(cell, "reduce", "ms", "all reducers together",
		            (double)st.reduce_ns / 1e6);
		cell_figure(cell, "sort", "ms", "all reducers together",
		            (double)st.sort_ns / 1e6);
		cell_figure(cell, "merge", "ms", "", (double)st.merge_ns / 1e6);
		cell_figure(cell, "pairs", "pairs", "that were kept for reduce",
		            (double)st.held);
		cell_figure(cell, "between", "MB", "of pairs and tables",
		            (double)st.bytes / 1e6);
	}
	cell_figure(cell, "imbalance", "", "the busiest worker to the mean",
	            mean > 0 ? (double)st.emitted_most / mean : 1);
}

static void verify(struct cell *cell, struct text *why)
{
	struct state *s = cell->state;
	uint64_t corrupt = 0;

	for (unsigned i = 0; i < s->workers; i++)
		corrupt += s->worker[i].corrupt;
	text_count(why, "chunks were never sent", corrupt);
	if (cell->variant == STREAM)
		look_at_sum(s, why);
	else
		look_at_words(cell, s, why);
	cell_figure(cell, "text", "MB", "", (double)s->text.bytes / 1e6);
	cell_figure(cell, "counted", "ms",
	            "from the first chunk to the last "
	            "result",
	            (double)s->ns / 1e6);
	cell_figure(cell, "rate", "MB/s", "",
	            s->ns > 0 ? (double)s->text.bytes * 1e3 / (double)s->ns
	                      : 0);
	cell_figure(cell, "words", "words", "that differ",
	            (double)s->expected.used);
	if (has_input(&cell->params))
		cell_figure(cell, "load", "ms", "reading the file",
		            (double)s->load_ns / 1e6);
	if (s->mapreduce)
		tell_times(cell, s);
}

const struct pattern pattern_mapreduce = {
	KERNEL(mapreduce),
	.flag = "mapreduce",
	.title = "MapReduce",
	.summary = "inputs are mapped to pairs, and each key's values reduced "
	           "to one result",
	.accept = accept,
	.items = items,
	.least_ns = least_ns,
	.verify = verify,
};
