#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "bench/gflags.h"

enum kind {
	KIND_FLAG,   /* yes or no; bare, it is a yes */
	KIND_NUMBER, /* 1.. */
	KIND_LEVEL,  /* 0.. */
	KIND_WORD,   /* one of some */
	KIND_TEXT,   /* not empty */
	KIND_ANY,
	KIND_PAIRS, /* key=value,key=value */
	KIND_USELESS,
};

/* Repetitions, and how much it says about itself. */
#define NUMBER_MAX 1000000

static const char *const formats[] = { "console", "json", "csv", NULL };
static const char *const units[] = { "ns", "us", "ms", "s", NULL };
static const char *const colors[] = { "auto", "true", "false", NULL };

static const struct flag {
	const char *option; /* its dashes included */
	/* What it is when it is not given, for Google Benchmark. */
	const char *absent;
	/* Of KIND_WORD; or what says the same, of KIND_USELESS. */
	const char *const *words;
	const char *instead;
	enum kind kind;
} table[] = {
	{ .option = "--benchmark_list_tests", .absent = "false" },
	{ .option = "--benchmark_filter", .absent = "", .kind = KIND_ANY },
	{ .option = "--benchmark_repetitions",
	  .absent = "1",
	  .kind = KIND_NUMBER },
	{ .option = "--benchmark_enable_random_interleaving",
	  .absent = "false" },
	{ .option = "--benchmark_report_aggregates_only", .absent = "false" },
	{ .option = "--benchmark_display_aggregates_only", .absent = "false" },
	{ .option = "--benchmark_format",
	  .absent = "console",
	  .words = formats,
	  .kind = KIND_WORD },
	{ .option = "--benchmark_out", .absent = "", .kind = KIND_TEXT },
	{ .option = "--benchmark_out_format",
	  .absent = "json",
	  .words = formats,
	  .kind = KIND_WORD },
	{ .option = "--benchmark_color",
	  .absent = "auto",
	  .words = colors,
	  .kind = KIND_WORD },
	{ .option = "--benchmark_counters_tabular", .absent = "false" },
	{ .option = "--benchmark_context", .absent = "", .kind = KIND_PAIRS },
	{ .option = "--benchmark_time_unit",
	  .absent = "ns",
	  .words = units,
	  .kind = KIND_WORD },
	{ .option = "--benchmark_min_time",
	  .instead = "how long a repetition is, --time=MILLISECONDS says",
	  .kind = KIND_USELESS },
	{ .option = "--benchmark_min_warmup_time",
	  .instead = "each repetition finds out by itself how much it moves",
	  .kind = KIND_USELESS },
	{ .option = "--benchmark_perf_counters",
	  .absent = "",
	  .instead = "it would count in a process that measures nothing",
	  .kind = KIND_USELESS },
	{ .option = "--v", .absent = "0", .kind = KIND_LEVEL },
};

#define FLAGS (sizeof(table) / sizeof(table[0]))

_Static_assert(FLAGS <= GFLAGS_MAX, "struct gflags has room for all");

/* --- one value --- */

static int check_flag(const char *as, const char **value)
{
	static const char *const yes[] = { "true", "yes", "on", "t",
		                           "y",    "1",   NULL };
	static const char *const no[] = { "false", "no", "off", "f",
		                          "n",     "0",  NULL };

	for (size_t i = 0; yes[i]; i++) {
		if (strcasecmp(*value, yes[i]) == 0)
			*value = "true";
		else if (strcasecmp(*value, no[i]) == 0)
			*value = "false";
		else
			continue;
		return 0;
	}
	return complain("%s=%s: must be true or false", as, *value);
}

static int check_number(const char *as, const char *value, long min)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(value, &end, 10);
	if (isdigit((unsigned char)*value) && !*end && !errno && n >= min &&
	    n <= NUMBER_MAX)
		return 0;
	return complain("%s=%s: must be a whole number from %ld to %d", as,
	                value, min, NUMBER_MAX);
}

static int check_word(const char *as, const char *value,
                      const char *const *words)
{
	char what[ARG_KEY_BYTES + 32];

	for (size_t i = 0; words[i]; i++)
		if (strcmp(value, words[i]) == 0)
			return 0;
	snprintf(what, sizeof(what), "%s has no", as);
	return complain_unknown(what, value, words);
}

/* Each of them with one '=' that is not its first. */
static int check_pairs(const char *as, const char *value)
{
	const char *at = value;

	for (;;) {
		size_t length = strcspn(at, ","), key = strcspn(at, "=,");

		if (key == 0 || key == length ||
		    memchr(at + key + 1, '=', length - key - 1))
			return complain("%s=%s: must be in the form "
			                "KEY=VALUE,KEY=VALUE",
			                as, value);
		if (!at[length])
			return 0;
		at += length + 1;
	}
}

/* What may be made of it is in *value then. `as` is what the user wrote. */
static int check(const struct flag *flag, const char *as, const char **value)
{
	switch (flag->kind) {
	case KIND_FLAG:
		return check_flag(as, value);
	case KIND_NUMBER:
		return check_number(as, *value, 1);
	case KIND_LEVEL:
		return check_number(as, *value, 0);
	case KIND_WORD:
		return check_word(as, *value, flag->words);
	case KIND_TEXT:
		return **value ? 0 : complain("%s needs a value", as);
	case KIND_PAIRS:
		return check_pairs(as, *value);
	case KIND_USELESS:
		return complain("%s=%s has no place here: %s", as, *value,
		                flag->instead);
	case KIND_ANY:
		break;
	}
	return 0;
}

/* --- all of them --- */

static size_t index_of(const char *name)
{
	size_t i = 0;

	while (i < FLAGS && strcmp(table[i].option + 2, name) != 0)
		i++;
	return i;
}

int gflags_take(struct gflags *flags, const struct arg *arg)
{
	size_t i = index_of(arg->key);
	const char *value = arg->value;

	if (i == FLAGS)
		return 1;
	if (!value && table[i].kind == KIND_FLAG)
		value = "true";
	if (!value && table[i].kind != KIND_USELESS)
		return arg_needs_value(arg);
	if (!value)
		value = "";
	flags->value[i] = value;
	return check(&table[i], table[i].option, &flags->value[i]);
}

/* The environment variable of a flag. */
static void variable_of(const struct flag *flag, char to[ARG_KEY_BYTES])
{
	const char *name = flag->option + 2;
	size_t i = 0;

	for (; name[i] && i + 1 < ARG_KEY_BYTES; i++)
		to[i] = (char)toupper((unsigned char)name[i]);
	to[i] = '\0';
}

int gflags_take_environment(struct gflags *flags)
{
	char name[ARG_KEY_BYTES];
	const char *value;
	int err;

	for (size_t i = 0; i < FLAGS; i++) {
		variable_of(&table[i], name);
		value = getenv(name);
		/* V is too short a name to mean us. */
		if (flags->value[i] || !value || !*value || !name[1])
			continue;
		flags->value[i] = value;
		err = check(&table[i], name, &flags->value[i]);
		if (err)
			return err;
	}
	return 0;
}

const char *gflags_value(const struct gflags *flags, const char *name)
{
	size_t i = index_of(name);

	CHECK_LT(i, FLAGS);
	return flags->value[i];
}

size_t gflags_options(const char *names[GFLAGS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < FLAGS; i++)
		if (table[i].kind != KIND_USELESS)
			names[n++] = table[i].option;
	return n;
}

/* What it would take from the environment, when it was not given: it looks
 * there before main() does. */
static const char *value_for_it(const struct gflags *flags, size_t i)
{
	char name[ARG_KEY_BYTES];

	/* The file is opened and written by us. */
	if (flags->value[i] && strcmp(table[i].option, "--benchmark_out") == 0)
		return "/dev/null";
	if (flags->value[i])
		return flags->value[i];
	variable_of(&table[i], name);
	return getenv(name) ? table[i].absent : NULL;
}

int gflags_arguments(const struct gflags *flags, char *name,
                     char *argv[GFLAGS_MAX + 2])
{
	int argc = 0;

	argv[argc++] = name;
	for (size_t i = 0; i < FLAGS; i++) {
		const char *value = value_for_it(flags, i);

		if (!value)
			continue;
		if (asprintf(&argv[argc], "%s=%s", table[i].option, value) <
		    0) {
			gflags_arguments_free(argc, argv);
			return -ENOMEM;
		}
		argc++;
	}
	argv[argc] = NULL;
	return argc;
}

void gflags_arguments_free(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		free(argv[i]);
}
