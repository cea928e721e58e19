#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft/chan_impl.h>

#include "cli/args.h"
#include "cli/peers.h"
#include "cli/suggest.h"

#define CHANNELS_MAX 64
#define PEERS_MAX 64
#define NAMES_MAX (CHANNELS_MAX + PEERS_MAX)

bool arg_split(const char *text, struct arg *out)
{
	const char *equals = strchr(text, '=');
	int length;

	if (strncmp(text, "--", 2) != 0)
		return false;
	text += 2;
	length = equals ? (int)(equals - text) : (int)strlen(text);
	/* A key that is cut off is no shorter key that exists. */
	snprintf(out->key, sizeof(out->key), "%.*s", length, text);
	out->value = equals ? equals + 1 : NULL;
	return true;
}

int complain(const char *format, ...)
{
	va_list args;

	fputs("weft: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return EXIT_BAD_INPUT;
}

int complain_unknown(const char *what, const char *word,
                     const char *const *known)
{
	const char *near = suggest(word, known);

	fprintf(stderr, "weft: %s '%s' (", what, word);
	if (near)
		fprintf(stderr, "did you mean '%s'? ", near);
	fputs("there are:", stderr);
	for (size_t i = 0; known[i]; i++)
		fprintf(stderr, "%s %s", i ? "," : "", known[i]);
	fputs(")\n", stderr);
	return EXIT_BAD_INPUT;
}

int complain_option(const char *what, const struct arg *arg,
                    const char *const *known)
{
	char word[ARG_KEY_BYTES + 2];

	snprintf(word, sizeof(word), "--%s", arg->key);
	return complain_unknown(what, word, known);
}

int arg_needs_value(const struct arg *arg)
{
	if (arg->value)
		return 0;
	return complain("--%s needs a value, in the form --%s=VALUE", arg->key,
	                arg->key);
}

int arg_text(const struct arg *arg, const char **out)
{
	if (arg->value && *arg->value) {
		*out = arg->value;
		return 0;
	}
	return complain("--%s needs a value, in the form --%s=VALUE", arg->key,
	                arg->key);
}

int arg_number(const struct arg *arg, uint64_t min, uint64_t max, uint64_t *out)
{
	unsigned long long n;
	char *end;

	if (arg_needs_value(arg))
		return EXIT_BAD_INPUT;
	errno = 0;
	n = strtoull(arg->value, &end, 10);
	/* strtoull() takes blanks and signs, too. */
	if (!isdigit((unsigned char)*arg->value) || *end || errno || n < min ||
	    n > max)
		return complain("--%s=%s: must be a whole number from %llu to "
		                "%llu",
		                arg->key, arg->value, (unsigned long long)min,
		                (unsigned long long)max);
	*out = n;
	return 0;
}

int arg_seconds(const struct arg *arg, int64_t *ns)
{
	double seconds;
	char *end;

	if (arg_needs_value(arg))
		return EXIT_BAD_INPUT;
	seconds = strtod(arg->value, &end);
	/* Likewise; and a number that is none fails both comparisons. */
	if (!isdigit((unsigned char)*arg->value) || *end ||
	    !(seconds >= 0.001) || !(seconds <= 1e6))
		return complain("--%s=%s: must be a number of seconds from "
		                "0.001 to 1000000",
		                arg->key, arg->value);
	*ns = (int64_t)(seconds * 1e9);
	return 0;
}

int arg_flag(const struct arg *arg, bool *out)
{
	if (arg->value)
		return complain("--%s=%s: --%s takes no value", arg->key,
		                arg->value, arg->key);
	*out = true;
	return 0;
}

int arg_channel(const char *name, const struct weft_chan_impl **out)
{
	const char *names[NAMES_MAX + 1] = { NULL };
	struct peer_line peer[PEERS_MAX];
	const struct weft_chan_impl *c;
	char why[PEER_WHY_BYTES];
	size_t n = 0;
	int err;

	*out = weft_chan_impl_find(name);
	if (*out)
		return 0;
	err = peer_find(name, out, why, sizeof(why));
	if (err != -ENOENT)
		return err ? complain("--chan=%s: %s", name, why) : 0;
	for (size_t i = 0; i < CHANNELS_MAX && (c = weft_chan_impl_at(i)); i++)
		names[n++] = c->name;
	for (size_t i = 0; i < PEERS_MAX && peer_at(i, &peer[i]); i++)
		names[n++] = peer[i].name;
	return complain_unknown("no channel", name, names);
}
