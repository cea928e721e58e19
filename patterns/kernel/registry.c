/* The patterns by name, and their knobs from text. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "cli/suggest.h"
#include "cli/text.h"
#include "kernel/pattern.h"

static const struct pattern *const patterns[] = {
#define PATTERN(name, ...) &pattern_##name,
#include "patterns.def"
#undef PATTERN
};

const struct pattern *pattern_at(size_t i)
{
	return i < sizeof(patterns) / sizeof(patterns[0]) ? patterns[i] : NULL;
}

const struct pattern *pattern_find(const char *name)
{
	const struct pattern *p;

	for (size_t i = 0; (p = pattern_at(i)); i++)
		if (strcmp(p->name, name) == 0)
			return p;
	return NULL;
}

int pattern_knob(const struct pattern *p, const char *knob)
{
	for (int i = 0; p->knobs[i].name; i++)
		if (strcmp(p->knobs[i].name, knob) == 0)
			return i;
	return -1;
}

int64_t param(const struct params *p, const char *knob)
{
	int i = pattern_knob(p->pattern, knob);

	CHECK_LE(0, i);
	return p->value[i];
}

int64_t param_or_0(const struct params *p, const char *knob)
{
	int i = pattern_knob(p->pattern, knob);

	return i < 0 ? 0 : p->value[i];
}

struct cell_shape params_shape(const struct params *p)
{
	struct cell_shape shape = {
		.drivers = 1,
		.consumers = 1,
		.cap = (size_t)param_or_0(p, "cap"),
		.elem_size = (size_t)param_or_0(p, "payload"),
		.senders = 1,
		.receivers = 1,
	};

	if (p->pattern->shape)
		p->pattern->shape(p, &shape);
	return shape;
}

void cell_figure(struct cell *cell, const char *name, const char *unit,
                 const char *help, double value)
{
	CHECK_LT(cell->figures, (unsigned)PATTERN_FIGURES_MAX);
	cell->figure[cell->figures++] = (struct figure){
		.name = name, .unit = unit, .help = help, .value = value
	};
}

void params_default(const struct pattern *p, struct params *out)
{
	*out = (struct params){ .pattern = p };
	for (int i = 0; p->knobs[i].name; i++) {
		CHECK_LT(i, PATTERN_KNOBS_MAX);
		out->value[i] = p->knobs[i].def;
	}
}

/* --- one line that says what is wrong --- */

static void say_unknown_knob(struct text *l, const struct pattern *p,
                             const char *name)
{
	const char *known[PATTERN_KNOBS_MAX + 1] = { NULL }, *near;

	for (int i = 0; p->knobs[i].name; i++)
		known[i] = p->knobs[i].name;
	near = suggest(name, known);
	text_add(l, "unknown knob '%s' (", name);
	if (near)
		text_add(l, "did you mean '%s'? ", near);
	text_add(l, "knobs of %s:", p->name);
	for (int i = 0; known[i]; i++)
		text_add(l, "%s %s", i ? "," : "", known[i]);
	text_add(l, ")");
}

static void say_allowed(struct text *l, const struct knob *k, const char *text)
{
	text_add(l, "%s=%s: allowed ", k->name, text);
	if (knob_is_text(k)) {
		text_add(l, "1..%d bytes", PATTERN_TEXT_BYTES - 1);
		return;
	}
	if (!k->choices) {
		text_add(l, "%" PRId64 "..%" PRId64, k->min, k->max);
		return;
	}
	for (const char *const *c = k->choices; *c; c++)
		text_add(l, "%s%s", c == k->choices ? "" : ", ", *c);
}

/* --- text to values --- */

/* A plain decimal integer and nothing else, within the knob's range. */
static bool parse_number(const struct knob *k, const char *text, int64_t *out)
{
	const char *digits = text + (*text == '-');
	char *end;
	long long v;

	if (*digits == '\0' || strspn(digits, "0123456789") != strlen(digits))
		return false;
	errno = 0;
	v = strtoll(text, &end, 10);
	if (errno || *end || v < k->min || v > k->max)
		return false;
	*out = v;
	return true;
}

static bool parse_choice(const struct knob *k, const char *text, int64_t *out)
{
	for (int64_t i = 0; k->choices[i]; i++)
		if (strcmp(k->choices[i], text) == 0) {
			*out = i;
			return true;
		}
	return false;
}

static bool take_text(const char *text, struct params *params, int64_t *out)
{
	size_t length = strlen(text);

	if (length == 0 || length >= sizeof(params->text))
		return false;
	memcpy(params->text, text, length + 1);
	*out = 1;
	return true;
}

static bool parse(const struct knob *k, const char *text, struct params *params,
                  int64_t *out)
{
	if (knob_is_text(k))
		return take_text(text, params, out);
	return k->choices ? parse_choice(k, text, out)
	                  : parse_number(k, text, out);
}

int params_set(const struct pattern *p, struct params *params, const char *knob,
               const char *text, char *why, size_t why_bytes)
{
	struct text l = text_in(why, why_bytes);
	int i = pattern_knob(p, knob);

	if (i < 0) {
		say_unknown_knob(&l, p, knob);
		return -ENOENT;
	}
	if (!parse(&p->knobs[i], text, params, &params->value[i])) {
		say_allowed(&l, &p->knobs[i], text);
		return -EINVAL;
	}
	return 0;
}
