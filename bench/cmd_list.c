/* weft list: the patterns with their knobs, the channels, and the peers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/args.h"
#include "bench/command.h"
#include "bench/knobs.h"
#include "cli/json.h"
#include "cli/peers.h"
#include "stress/conform/options.h"

struct request {
	bool patterns, channels, peers, json;
	const struct weft_chan_impl *loaded;
};

/* Built-in channels, then the loaded one. */
static const struct weft_chan_impl *channel_at(const struct request *r,
                                               size_t i)
{
	const struct weft_chan_impl *chan = weft_chan_impl_at(i);

	if (chan || !r->loaded)
		return chan;
	return i == 0 || weft_chan_impl_at(i - 1) ? r->loaded : NULL;
}

/* --- JSON --- */

static void json_value(struct json *j, const char *key, const struct knob *knob,
                       int64_t value)
{
	if (knob_is_text(knob))
		json_string(j, key, "");
	else if (knob->choices)
		json_string(j, key, knob->choices[value]);
	else
		json_int(j, key, value);
}

static void json_choices(struct json *j, const struct knob *knob)
{
	if (!knob->choices) {
		json_null(j, "choices");
		return;
	}
	json_array_begin(j, "choices");
	for (size_t i = 0; knob->choices[i]; i++)
		json_string(j, NULL, knob->choices[i]);
	json_array_end(j);
}

/* "1,2,4" as an array, of numbers unless the knob has words. */
static void json_sweep(struct json *j, const struct knob *knob)
{
	const char *at = knob->sweep;

	json_array_begin(j, "sweep");
	while (at && *at) {
		char word[32];
		size_t length = strcspn(at, ",");

		snprintf(word, sizeof(word), "%.*s", (int)length, at);
		if (knob->choices)
			json_string(j, NULL, word);
		else
			json_int(j, NULL, strtoll(word, NULL, 10));
		at += length + (at[length] == ',');
	}
	json_array_end(j);
}

static void json_knob(struct json *j, const struct knob *knob)
{
	json_object_begin(j, NULL);
	json_string(j, "name", knob->name);
	json_string(j, "unit", knob->unit);
	json_value(j, "default", knob, knob->def);
	if (knob->choices) {
		json_null(j, "min");
		json_null(j, "max");
	} else {
		json_int(j, "min", knob->min);
		json_int(j, "max", knob->max);
	}
	json_choices(j, knob);
	json_string(j, "help", knob->help);
	json_sweep(j, knob);
	json_object_end(j);
}

static void json_patterns(struct json *j, const char *key)
{
	const struct pattern *p;

	json_array_begin(j, key);
	for (size_t i = 0; (p = pattern_at(i)); i++) {
		json_object_begin(j, NULL);
		json_string(j, "name", p->name);
		json_string(j, "flag", p->flag);
		json_string(j, "summary", p->summary);
		json_array_begin(j, "knobs");
		for (size_t k = 0; p->knobs[k].name; k++)
			json_knob(j, &p->knobs[k]);
		json_array_end(j);
		json_object_end(j);
	}
	json_array_end(j);
}

/* A limit, where 0 stands for "any": null in JSON. */
static void json_limit(struct json *j, const char *key, uint64_t limit)
{
	if (limit)
		json_uint(j, key, limit);
	else
		json_null(j, key);
}

static void json_declared(struct json *j, const struct weft_chan_impl *chan)
{
	const char *can;

	json_string(j, "summary", chan->summary);
	json_array_begin(j, "caps");
	for (uint64_t bit = 1; (can = weft_chan_can_name(bit)); bit <<= 1)
		if (chan->can & bit)
			json_string(j, NULL, can);
	json_array_end(j);
	json_limit(j, "max_senders", chan->max_senders);
	json_limit(j, "max_receivers", chan->max_receivers);
	json_uint(j, "min_cap", !(chan->can & WEFT_CAN_RENDEZVOUS));
	if (chan->can & (WEFT_CAN_BOUNDED | WEFT_CAN_UNBOUNDED))
		json_limit(j, "max_cap", chan->max_cap);
	else
		json_uint(j, "max_cap", 0);
}

static void json_channel(struct json *j, const struct weft_chan_impl *chan)
{
	json_object_begin(j, NULL);
	json_string(j, "name", chan->name);
	json_declared(j, chan);
	json_object_end(j);
}

static void json_channels(struct json *j, const char *key,
                          const struct request *r)
{
	const struct weft_chan_impl *chan;

	json_array_begin(j, key);
	for (size_t i = 0; (chan = channel_at(r, i)); i++)
		json_channel(j, chan);
	json_array_end(j);
}

static void json_library(struct json *j, const struct weft_peer *peer)
{
	char version[PEER_VERSION_BYTES];

	json_string(j, "library", peer_version(peer, version, sizeof(version)));
	json_string(j, "adapter", peer->adapter);
}

static void json_peers(struct json *j, const char *key)
{
	const struct weft_chan_impl *chan;
	const struct weft_peer *peer;
	char why[PEER_WHY_BYTES];
	struct peer_line line;

	json_array_begin(j, key);
	for (size_t i = 0; peer_at(i, &line); i++) {
		bool ready = !peer_find(line.name, &chan, why, sizeof(why));

		json_object_begin(j, NULL);
		json_string(j, "name", line.name);
		json_string(j, "why_not", ready ? "" : why);
		if (ready)
			json_declared(j, chan);
		if (ready && (peer = peer_of(chan)))
			json_library(j, peer);
		json_object_end(j);
	}
	json_array_end(j);
}

static void print_json(const struct request *r)
{
	struct json j;

	bool several = r->patterns + r->channels + r->peers > 1;

	json_init(&j, stdout);
	if (several)
		json_object_begin(&j, NULL);
	if (r->patterns)
		json_patterns(&j, several ? "patterns" : NULL);
	if (r->channels)
		json_channels(&j, several ? "channels" : NULL, r);
	if (r->peers)
		json_peers(&j, several ? "peers" : NULL);
	if (several)
		json_object_end(&j);
	json_finish(&j);
}

/* --- for people --- */

static void print_patterns(void)
{
	const struct pattern *p;

	puts("patterns");
	for (size_t i = 0; (p = pattern_at(i)); i++) {
		printf("  %-20s %s\n", p->name, p->summary);
		knobs_print(p);
	}
}

static void print_limit(const char *what, unsigned limit)
{
	if (limit)
		printf(", at most %u %s", limit, what);
}

static void print_channel(const struct weft_chan_impl *chan)
{
	const char *can, *comma = "";

	printf("  %-20s %s\n", chan->name, chan->summary);
	printf("    ");
	for (uint64_t bit = 1; (can = weft_chan_can_name(bit)); bit <<= 1) {
		if (!(chan->can & bit))
			continue;
		printf("%s%s", comma, can);
		comma = ", ";
	}
	if (chan->max_cap)
		printf(", capacity at most %zu", chan->max_cap);
	print_limit("senders", chan->max_senders);
	print_limit("receivers", chan->max_receivers);
	putchar('\n');
}

static void print_channels(const struct request *r)
{
	const struct weft_chan_impl *chan;

	puts("channels");
	for (size_t i = 0; (chan = channel_at(r, i)); i++)
		print_channel(chan);
}

static void print_peer(const struct peer_line *line)
{
	const struct weft_chan_impl *chan;
	char why[PEER_WHY_BYTES];

	if (peer_find(line->name, &chan, why, sizeof(why))) {
		printf("  %-20s %s\n", line->name, why);
		return;
	}
	print_channel(chan);
	peer_print(stdout, "    ", chan);
}

static void print_peers(void)
{
	struct peer_line line;

	puts("peers: channels of other libraries, taken when they are asked "
	     "for by name");
	for (size_t i = 0; peer_at(i, &line); i++)
		print_peer(&line);
}

static void print_text(const struct request *r)
{
	const char *between = "";
	struct peer_line line;

	if (r->patterns) {
		print_patterns();
		between = "\n";
	}
	if (r->channels) {
		fputs(between, stdout);
		print_channels(r);
		between = "\n";
	}
	if ((r->peers || r->channels) && peer_at(0, &line)) {
		fputs(between, stdout);
		print_peers();
	}
}

/* --- the command --- */

static int parse_option(const struct arg *arg, struct request *r)
{
	static const char *const known[] = { "--json", "--load", NULL };

	if (strcmp(arg->key, "json") == 0)
		return arg_flag(arg, &r->json);
	if (strcmp(arg->key, "load") == 0)
		return arg_needs_value(arg)
		               ? EXIT_BAD_INPUT
		               : load_channel(arg->value, &r->loaded);
	return complain_option("list has no option", arg, known);
}

static int parse(int argc, char **argv, struct request *r)
{
	static const char *const known[] = { "patterns", "channels", "peers",
		                             NULL };
	struct arg arg;
	int err = 0;

	for (int i = 1; i < argc && !err; i++) {
		if (arg_split(argv[i], &arg))
			err = parse_option(&arg, r);
		else if (strcmp(argv[i], "patterns") == 0)
			r->patterns = true;
		else if (strcmp(argv[i], "channels") == 0)
			r->channels = true;
		else if (strcmp(argv[i], "peers") == 0)
			r->peers = true;
		else
			err = complain_unknown("nothing to list called",
			                       argv[i], known);
	}
	if (!r->patterns && !r->channels && !r->peers)
		r->patterns = r->channels = r->peers = true;
	return err;
}

static int run(int argc, char **argv)
{
	struct request r = { 0 };
	int err = parse(argc, argv, &r);

	if (err)
		return err;
	if (r.json)
		print_json(&r);
	else
		print_text(&r);
	return 0;
}

const struct command command_list = {
	.name = "list",
	.summary = "what there is: patterns with their knobs, channels, peers",
	.help = "list [patterns|channels|peers] [--json] [--load=FILE.so]\n"
	        "\n"
	        "  peers           channels of other libraries: with the "
	        "channels, but in JSON\n"
	        "                  by themselves\n"
	        "  --json          as JSON: an array, or an object of all "
	        "without a word\n"
	        "  --load=FILE.so  list the channel in FILE.so too\n",
	.run = run,
};
