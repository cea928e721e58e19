/*
 * Tests of what the mapreduce makes of its inputs. How it ends is tested by its
 * life.c and in mapreduce_stop_test.c; E1 to E11 are the numbers of the
 * requirements:
 *
 *	E1  equal to a sequential count for any split, workers and chunk size
 *	E2  no input, a huge line, one key, all keys different, empty tokens,
 *	    upper and lower case, a chunk that ends within a word
 *	E3  one chunk, fewer than workers, not divisible
 *	E4  the same with and without a combiner; a partition for each key
 *	E5  reduce is called once for each key with all of its values; order
 *	E6, E7, E8, E10, E11  see mapreduce_stop_test.c
 *	E9  no workers
 */
#include <ctype.h>
#include <errno.h>

#include "mapreduce_testing.h"

/* --- words and slices --- */

TEST_OUTSIDE(the_tables_say_what_they_should)
{
	for (int c = 0; c < 256; c++) {
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
		bool space = c == ' ' || (c >= '\t' && c <= '\r');

		CHECK_EQ((bool)weft_slice_letters[c], letter);
		CHECK_EQ((bool)weft_slice_not_spaces[c], !space);
	}
}

static void expect_cut(const char *text, size_t bytes, const char *piece,
                       const unsigned char *word)
{
	struct weft_slice rest = slice(text);
	struct weft_slice got = weft_slice_cut(&rest, bytes, word);

	CHECK_EQ(got.bytes, strlen(piece));
	CHECK_EQ(memcmp(got.at, piece, got.bytes), 0);
	CHECK(rest.at == text + got.bytes);
	CHECK_EQ(rest.bytes, strlen(text) - got.bytes);
}

TEST_OUTSIDE(E2_a_cut_moves_to_the_end_of_the_word_that_it_is_in)
{
	expect_cut("hello world", 1, "hello", NULL);
	expect_cut("hello world", 5, "hello", NULL);
	expect_cut("hello world", 6, "hello ", NULL);
	expect_cut("hello world", 7, "hello world", NULL);
	expect_cut("hello world", 100, "hello world", NULL);
	expect_cut("  a", 1, " ", NULL);
	expect_cut("a-b c", 1, "a-b", NULL);
	expect_cut("a-b c", 1, "a", weft_slice_letters);
	expect_cut("", 5, "", NULL);
	expect_cut("abc", 0, "", NULL);
}

/* --- E1 to E4: the same counts, however it is done --- */

static const char seed_text[] =
        "hello world\nhello go\nworld of concurrency\ngo programming\n"
        "concurrency patterns\nhello concurrency\ngo world\npatterns in go\n";

/* All that has come out is what is expected; in order, and all of it. */
static void expect_words(struct weft_mapreduce *m, const struct words *expected)
{
	struct weft_mapreduce_pair p, before = { { NULL, 0 }, NULL };
	size_t n = 0;

	while (!weft_mapreduce_recv(m, &p, WEFT_FOREVER)) {
		const struct word_count *c = words_find(expected, p.key);

		CHECK(c && c->word.at);
		CHECK_EQ(*(const uint64_t *)p.value, c->n);
		CHECK(!n++ || words_is_before(before.key, p.key));
		before = p;
	}
	CHECK_EQ(n, expected->used);
	expect_end(m, -EPIPE);
	CHECK_EQ(weft_mapreduce_join(m, WEFT_FOREVER), 0);
}

static void count_in(struct weft_slice text, size_t chunk,
                     const struct weft_mapreduce_opts *o,
                     const struct words *expected)
{
	struct weft_mapreduce *m = make(o);
	struct weft_mapreduce_stats st;

	feed(m, text, chunk);
	expect_words(m, expected);
	st = stats(m);
	CHECK_EQ(st.keys, expected->used);
	CHECK_EQ(st.results, expected->used);
	CHECK_EQ(st.received, expected->used);
	CHECK(o->combine ? st.held <= st.emitted : st.held == st.emitted);
	weft_mapreduce_free(m);
}

/* In many ways: chunks of all sizes, workers that have nothing to do. */
static void count_in_all_ways(struct weft_slice text)
{
	static const size_t chunks[] = { 1, 7, 64, SIZE_MAX };
	static const struct {
		unsigned workers, reducers, partitions;
	} ways[] = { { 1, 1, 1 }, { 2, 0, 0 }, { 4, 1, 7 }, { 1, 3, 64 } };
	struct words expected = { 0 };

	CHECK_EQ(words_count(&expected, text), 0);
	for (size_t i = 0; i < 4 * 4 * 3 * 2; i++) {
		struct weft_mapreduce_opts o = words_opts(ways[i % 4].workers);

		o.reducers = ways[i % 4].reducers;
		o.partitions = ways[i % 4].partitions;
		o.shuffle = (enum weft_mapreduce_shuffle)(i / 16 % 3);
		o.combine = i / 48 ? add : NULL;
		count_in(text, chunks[i / 4 % 4], &o, &expected);
	}
	free(expected.at);
}

TEST(E1_E3_E4_the_text_of_the_seed_counts_the_same_in_all_ways)
{
	count_in_all_ways(slice(seed_text));
	return 0;
}

TEST(E2_no_text_and_no_words_have_no_results)
{
	count_in_all_ways(slice(""));
	count_in_all_ways(slice("  \n\n ... 12 \t"));
	return 0;
}

TEST(E2_empty_tokens_do_not_count)
{
	count_in_all_ways(slice("  a  b\n\n\na   ,,b--c'"));
	return 0;
}

TEST(E2_one_key_counts_the_same_in_all_ways)
{
	char text[2000];

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = i % 2 ? ' ' : 'x';
	count_in_all_ways((struct weft_slice){ text, sizeof(text) });
	return 0;
}

TEST(E2_all_keys_different_count_the_same_in_all_ways)
{
	char text[3000], *at = text;

	for (unsigned i = 0; i < 500; i++) {
		at += word_write(at, i);
		*at++ = ' ';
		if (at > text + sizeof(text) - WORD_MAX - 1)
			break;
	}
	count_in_all_ways((struct weft_slice){ text, (size_t)(at - text) });
	return 0;
}

/* Longer than any block of memory that keys are put in. */
TEST(E2_a_word_may_be_as_long_as_the_text)
{
	static const char begin[] = { 'a', ' ', 'b', ' ' };
	static const char end[] = { ' ', 'b', ' ', 'a' };
	size_t bytes = (size_t)3 << 20;
	char *text = malloc(bytes);

	CHECK(text != NULL);
	memset(text, 'x', bytes);
	memcpy(text, begin, sizeof(begin));
	memcpy(text + bytes - sizeof(end), end, sizeof(end));
	for (int combine = 0; combine < 2; combine++) {
		struct weft_mapreduce_opts o = words_opts(2);
		struct weft_mapreduce *m;
		struct weft_mapreduce_pair p;

		o.combine = combine ? add : NULL;
		m = make(&o);
		feed(m, (struct weft_slice){ text, bytes }, 3);
		expect_next(m, "a", 2);
		expect_next(m, "b", 2);
		CHECK_EQ(weft_mapreduce_recv(m, &p, WEFT_FOREVER), 0);
		CHECK_EQ(p.key.bytes, bytes - 8);
		expect_end(m, -EPIPE);
		weft_mapreduce_free(m);
	}
	free(text);
	return 0;
}

static int map_lower(struct weft_mapreduce_worker *to, const void *elem,
                     void *arg)
{
	struct weft_slice rest = *(const struct weft_slice *)elem, word;
	char lower[16];
	uint64_t one = 1;

	(void)arg;
	while (weft_slice_word(&rest, weft_slice_letters, &word)) {
		for (size_t i = 0; i < word.bytes; i++)
			lower[i] = (char)tolower((unsigned char)word.at[i]);
		word.at = lower; /* the key is copied */
		CHECK_EQ(weft_mapreduce_emit(to, word, &one), 0);
	}
	return 0;
}

TEST(E2_upper_and_lower_case_are_for_map_to_tell_apart)
{
	struct weft_mapreduce_opts o = words_opts(2);
	struct weft_slice text = slice("Go go GO of");

	weft_mapreduce_free(
	        expect_counts(&o, text, 1, "GO 1 Go 1 go 1 of 1", -EPIPE));
	o.map = map_lower;
	weft_mapreduce_free(expect_counts(&o, text, 1, "go 3 of 1", -EPIPE));
	return 0;
}

/* Many words, made at random, over many chunks: tables grow meanwhile. */
TEST(E1_a_large_text_counts_the_same)
{
	struct weft_slice text;
	struct words expected = { 0 };

	CHECK_EQ(words_make(TESTING_SLOW ? 20000 : 200000, 5000, 1, &text,
	                    &expected),
	         0);
	for (unsigned i = 0; i < 6; i++) {
		struct weft_mapreduce_opts o = words_opts(4);

		o.shuffle = (enum weft_mapreduce_shuffle)(i % 3);
		o.combine = i / 3 ? add : NULL;
		count_in(text, 4096, &o, &expected);
	}
	free(expected.at);
	free((char *)(uintptr_t)text.at);
	return 0;
}

/* --- E4, E5: keys and partitions --- */

/* Inputs are keys, NULL-terminated, their own values. */
static int map_itself(struct weft_mapreduce_worker *to, const void *elem,
                      void *arg)
{
	const struct weft_slice *key = elem;
	uint64_t value = key->bytes;

	(void)arg;
	return weft_mapreduce_emit(to, *key, &value);
}

static size_t by_first(struct weft_slice key, size_t n, void *arg)
{
	(void)arg;
	CHECK_EQ(n, 3u);
	return key.bytes && key.at[0] >= 'a' && key.at[0] <= 'c'
	               ? (size_t)(key.at[0] - 'a')
	               : n;
}

TEST(E4_a_partition_may_be_chosen)
{
	struct weft_mapreduce_opts o = words_opts(2);

	o.partitions = 3;
	o.partition = by_first;
	weft_mapreduce_free(expect_counts(&o, slice("a b c ab bc ca a"), 1,
	                                  "a 2 ab 1 b 1 bc 1 c 1 ca 1",
	                                  -EPIPE));
	return 0;
}

TEST(E4_a_partition_that_there_is_not_fails)
{
	struct weft_mapreduce_opts o = words_opts(1);
	struct weft_mapreduce *m;

	o.partitions = 3;
	o.partition = by_first;
	m = expect_counts(&o, slice("a b d c"), 100, "", -ERANGE);
	CHECK_EQ(weft_mapreduce_join(m, WEFT_FOREVER), -ERANGE);
	weft_mapreduce_free(m);
	return 0;
}

/* Every key once, with as many values as there were pairs. */
static int once(struct weft_slice key, const void *values, size_t n, void *out,
                void *arg)
{
	_Atomic int *calls = arg;

	weft_fetch_add_relaxed(&calls[(unsigned char)key.at[0]], 1);
	*(uint64_t *)out = n;
	return sum(key, values, n, &(uint64_t){ 0 }, NULL);
}

TEST(E5_reduce_has_all_values_of_a_key_at_once)
{
	static _Atomic int calls[256];
	char text[9000];

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = i % 2 ? ' ' : (char)('a' + i / 2 % 9);
	for (unsigned shuffle = 0; shuffle < 3; shuffle++) {
		struct weft_mapreduce_opts o = words_opts(4);
		struct weft_mapreduce *m;

		memset(calls, 0, sizeof(calls));
		o.shuffle = (enum weft_mapreduce_shuffle)shuffle;
		o.reduce = once;
		o.arg = calls;
		m = make(&o);
		feed(m, (struct weft_slice){ text, sizeof(text) }, 100);
		for (int c = 'a'; c < 'a' + 9; c++)
			expect_next(m, (char[]){ (char)c, '\0' }, 500);
		expect_end(m, -EPIPE);
		for (int c = 'a'; c < 'a' + 9; c++)
			CHECK_EQ(weft_load_relaxed(&calls[c]), 1);
		weft_mapreduce_free(m);
	}
	return 0;
}

TEST(E5_keys_of_any_bytes_come_in_their_order)
{
	static const struct weft_slice keys[] = {
		{ "", 0 },
		{ "\0", 1 },
		{ "\0\0", 2 },
		{ "a", 1 },
		{ "a\0", 2 },
		{ "aaaaaaaa", 8 },
		{ "aaaaaaaa\0", 9 },
		{ "aaaaaaaaa", 9 },
		{ "aaaaaaaab", 9 },
		{ "aaaaaaaabaaaaaaaaaaaaaaaaa", 26 },
		{ "b", 1 },
		{ "\x80", 1 },
		{ "\xff\xff\xff\xff\xff\xff\xff\xff\xff", 9 },
	};
	size_t n = sizeof(keys) / sizeof(keys[0]);

	for (unsigned partitions = 1; partitions < 20; partitions++) {
		struct weft_mapreduce_opts o = words_opts(2);
		struct weft_mapreduce_pair p;
		struct weft_mapreduce *m;

		o.map = map_itself;
		o.partitions = partitions;
		m = make(&o);
		for (size_t i = n; i-- > 0;)
			CHECK_EQ(weft_mapreduce_send(m, &keys[i], WEFT_FOREVER),
			         0);
		CHECK_EQ(weft_mapreduce_close(m), 0);
		for (size_t i = 0; i < n; i++) {
			CHECK_EQ(weft_mapreduce_recv(m, &p, WEFT_FOREVER), 0);
			CHECK_EQ(p.key.bytes, keys[i].bytes);
			CHECK_EQ(memcmp(p.key.at, keys[i].at, p.key.bytes), 0);
		}
		expect_end(m, -EPIPE);
		weft_mapreduce_free(m);
	}
	return 0;
}

/* --- several receivers --- */

#define RECEIVERS 4

struct receiver {
	struct weft_mapreduce *m;
	uint64_t n, sum;
	struct weft_task *task;
};

static int receive(void *arg)
{
	struct receiver *r = arg;
	struct weft_mapreduce_pair p;
	int err;

	while (!(err = weft_mapreduce_recv(r->m, &p, WEFT_FOREVER))) {
		r->n++;
		r->sum += *(const uint64_t *)p.value;
	}
	return err;
}

/* Sorted or not, whether they came before there was anything or after. */
TEST(each_result_is_received_once_by_whoever_comes)
{
	struct weft_slice text;
	struct words expected = { 0 };
	uint64_t words = 20000;

	CHECK_EQ(words_make(words, 5000, 0, &text, &expected), 0);
	for (int i = 0; i < 4; i++) {
		struct weft_mapreduce_opts o = words_opts(2);
		struct receiver r[RECEIVERS];
		uint64_t n = 0, sum_of_all = 0;
		struct weft_mapreduce *m;

		o.sorted = i % 2;
		o.partitions = 16;
		m = make(&o);
		if (i / 2)
			feed(m, text, 1000);
		for (int k = 0; k < RECEIVERS; k++) {
			r[k] = (struct receiver){ .m = m };
			r[k].task = testing_spawn(receive, &r[k]);
		}
		if (!(i / 2))
			feed(m, text, 1000);
		for (int k = 0; k < RECEIVERS; k++) {
			CHECK_EQ(testing_join(r[k].task), -EPIPE);
			n += r[k].n;
			sum_of_all += r[k].sum;
		}
		CHECK_EQ(n, expected.used);
		CHECK_EQ(sum_of_all, words);
		weft_mapreduce_free(m);
	}
	free(expected.at);
	free((char *)(uintptr_t)text.at);
	return 0;
}

TEST(results_stay_until_the_end)
{
	struct weft_mapreduce_opts o = words_opts(2);
	struct weft_mapreduce *m = make(&o);
	struct weft_mapreduce_pair p;

	feed(m, slice(seed_text), 1);
	CHECK_EQ(weft_mapreduce_recv(m, &p, WEFT_FOREVER), 0);
	while (!weft_mapreduce_recv(m, &(struct weft_mapreduce_pair){ 0 },
	                            WEFT_FOREVER))
		;
	CHECK_EQ(weft_mapreduce_stop(m), 0);
	CHECK(is_key(p, "concurrency"));
	CHECK_EQ(*(const uint64_t *)p.value, 3u);
	weft_mapreduce_free(m);
	return 0;
}

TEST_MANUAL(a_try_does_not_wait)
{
	struct weft_mapreduce_opts o = words_opts(1);
	struct weft_slice text = slice("a a");
	struct weft_mapreduce *m = make(&o);
	struct weft_mapreduce_pair p = { .value = NULL };

	CHECK_EQ(weft_mapreduce_try_recv(m, &p), -EAGAIN);
	CHECK_EQ(weft_mapreduce_try_send(m, &text), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_mapreduce_try_recv(m, &p), -EAGAIN);
	CHECK_EQ(weft_mapreduce_close(m), 0);
	CHECK_EQ(weft_mapreduce_try_send(m, &text), -EPIPE);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_mapreduce_try_recv(m, &p), 0);
	CHECK(is_key(p, "a"));
	CHECK_EQ(weft_mapreduce_try_recv(m, &p), -EPIPE);
	weft_mapreduce_free(m);
	return 0;
}

/* --- sizes --- */

static int map_keys(struct weft_mapreduce_worker *to, const void *elem,
                    void *arg)
{
	struct weft_slice rest = *(const struct weft_slice *)elem, word;

	(void)arg;
	while (weft_slice_word(&rest, weft_slice_letters, &word))
		CHECK_EQ(weft_mapreduce_emit(to, word, NULL), 0);
	return 0;
}

struct wide {
	uint64_t n;
	char text[13];
};

static int count_values(struct weft_slice key, const void *values, size_t n,
                        void *out, void *arg)
{
	struct wide *w = out;

	(void)arg;
	CHECK(values != NULL);
	CHECK_EQ((uintptr_t)out % 8, 0u);
	w->n = n;
	memcpy(w->text, key.at, key.bytes);
	return WEFT_EMIT;
}

TEST(values_may_be_nothing_and_results_something_else)
{
	struct weft_mapreduce_opts o = words_opts(2);
	struct weft_mapreduce_pair p;
	struct weft_mapreduce *m;

	o.map = map_keys;
	o.value_size = 0;
	o.out_size = sizeof(struct wide);
	o.reduce = count_values;
	m = make(&o);
	feed(m, slice("a bb a a bb"), 1);
	for (int i = 0; i < 2; i++) {
		const struct wide *w;

		CHECK_EQ(weft_mapreduce_recv(m, &p, WEFT_FOREVER), 0);
		w = p.value;
		CHECK_EQ(w->n, i ? 2u : 3u);
		CHECK_EQ(strcmp(w->text, i ? "bb" : "a"), 0);
	}
	expect_end(m, -EPIPE);
	weft_mapreduce_free(m);
	return 0;
}

/* The result is then what the combiner makes of them. */
TEST(a_combiner_may_do_without_reduce)
{
	for (unsigned shuffle = 0; shuffle < 3; shuffle++) {
		struct weft_mapreduce_opts o = words_opts(3);

		o.combine = add;
		o.reduce = NULL;
		o.shuffle = (enum weft_mapreduce_shuffle)shuffle;
		weft_mapreduce_free(expect_counts(
		        &o, slice(seed_text), 1,
		        "concurrency 3 go 4 hello 3 in 1 of 1 patterns 2 "
		        "programming 1 world 3",
		        -EPIPE));
	}
	return 0;
}

static int skip_some(struct weft_slice key, const void *values, size_t n,
                     void *out, void *arg)
{
	return key.at[0] == 'a' ? WEFT_SKIP : sum(key, values, n, out, arg);
}

TEST(E6_a_key_without_a_result_is_left_out)
{
	struct weft_mapreduce_opts o = words_opts(2);
	struct weft_mapreduce *m;

	o.reduce = skip_some;
	m = expect_counts(&o, slice("a b a c ab"), 1, "b 1 c 1", -EPIPE);
	CHECK_EQ(stats(m).keys, 4u);
	CHECK_EQ(stats(m).results, 2u);
	weft_mapreduce_free(m);
	return 0;
}

/* --- what is refused --- */

static int fold_nothing(void *acc, const void *value, void *arg)
{
	(void)acc;
	(void)value;
	(void)arg;
	return 0;
}

static void expect_refused(const struct weft_mapreduce_opts *o)
{
	struct weft_mapreduce *m = NULL;

	CHECK_EQ(weft_mapreduce_new(&m, o), -EINVAL);
	CHECK(m == NULL);
}

#define REFUSED(changes)                                                       \
	do {                                                                   \
		struct weft_mapreduce_opts o = words_opts(2);                  \
		changes;                                                       \
		expect_refused(&o);                                            \
	} while (0)

TEST(E9_options_that_make_no_sense_are_refused)
{
	REFUSED(o.workers = 0);
	REFUSED(o.workers = WEFT_MAPREDUCE_WORKERS_MAX + 1);
	REFUSED(o.reducers = WEFT_MAPREDUCE_WORKERS_MAX + 1);
	REFUSED(o.partitions = WEFT_MAPREDUCE_PARTITIONS_MAX + 1);
	REFUSED(o.workers = WEFT_MAPREDUCE_WORKERS_MAX;
	        o.partitions =
	                WEFT_MAPREDUCE_TABLES_MAX / WEFT_MAPREDUCE_WORKERS_MAX +
	                1);
	REFUSED(o.map = NULL);
	REFUSED(o.reduce = NULL);
	REFUSED(o.shuffle = (enum weft_mapreduce_shuffle)3);
	REFUSED(o.wait = (enum weft_wait)9);
	REFUSED(o.fold = fold_nothing);
	REFUSED(o.reduce = NULL; o.combine = add; o.out_size = 16);
	REFUSED(o.reduce = NULL; o.fold = fold_nothing);
	REFUSED(o.reduce = NULL; o.sorted = false; o.fold = fold_nothing;
	        o.value_size = 0);
	REFUSED(o.impl = weft_chan_impl_find("spsc"));
	REFUSED(o.impl = weft_chan_impl_find("null"));
	CHECK_EQ(weft_mapreduce_new(NULL, NULL), -EINVAL);
	expect_refused(NULL);
	return 0;
}

static int map_nonsense(struct weft_mapreduce_worker *to, const void *elem,
                        void *arg)
{
	struct weft_slice none = { NULL, 1 };
	uint64_t one = 1;

	(void)elem;
	(void)arg;
	CHECK_EQ(weft_mapreduce_emit(NULL, slice("a"), &one), -EINVAL);
	CHECK_EQ(weft_mapreduce_emit(to, none, &one), -EINVAL);
	CHECK_EQ(weft_mapreduce_emit(to, slice("a"), NULL), -EINVAL);
	return 0;
}

TEST(arguments_that_make_no_sense_are_refused)
{
	struct weft_mapreduce_opts o = words_opts(1);
	struct weft_slice text = slice("a");
	struct weft_mapreduce *m;

	o.map = map_nonsense;
	m = make(&o);
	CHECK_EQ(weft_mapreduce_send(m, NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_mapreduce_recv(m, NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_mapreduce_split(m, &text, 0, NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_mapreduce_split(m, NULL, 1, NULL, WEFT_NOW), -EINVAL);
	feed(m, text, 1);
	expect_end(m, -EPIPE);
	weft_mapreduce_free(m);
	o.elem_size = sizeof(uint64_t);
	m = make(&o);
	CHECK_EQ(weft_mapreduce_split(m, &text, 1, NULL, WEFT_NOW), -EINVAL);
	weft_mapreduce_free(m);
	return 0;
}
