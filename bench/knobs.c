#include <inttypes.h>
#include <stdio.h>

#include "bench/knobs.h"

static void print_words(const struct knob *knob)
{
	for (size_t i = 0; knob->choices[i]; i++)
		printf("%s%s", i ? ", " : "", knob->choices[i]);
	printf("; default %s", knob->choices[knob->def]);
}

static void print_range(const struct knob *knob)
{
	printf("%" PRId64 "..%" PRId64 "%s%s; default %" PRId64, knob->min,
	       knob->max, *knob->unit ? " " : "", knob->unit, knob->def);
}

static void print_knob(const struct knob *knob)
{
	char head[64];

	snprintf(head, sizeof(head), "--%s=%s", knob->name,
	         knob_is_text(knob) ? "TEXT"
	         : !knob->choices   ? "N"
	                            : "WORD");
	printf("    %-20s %s (", head, knob->help);
	if (knob_is_text(knob))
		printf("default none");
	else if (knob->choices)
		print_words(knob);
	else
		print_range(knob);
	puts(")");
}

void knobs_print(const struct pattern *pattern)
{
	for (size_t i = 0; pattern->knobs[i].name; i++)
		print_knob(&pattern->knobs[i]);
}
