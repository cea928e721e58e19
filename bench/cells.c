#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "bench/cells.h"
#include "kernel/cell.h"

bool cells_swept(const struct knob *knob)
{
	/* How many messages is for the runner to find out. */
	return knob->sweep && *knob->sweep && strcmp(knob->name, "items") != 0;
}

struct visitor {
	int (*visit)(const struct plan *plan, void *arg);
	void *arg;
};

static int offer(const struct plan *plan, const struct visitor *v)
{
	char why[256];

	if (cell_possible(&plan->params, plan->chan, why, sizeof(why)))
		return 0;
	return v->visit(plan, v->arg);
}

/* The cells where knob `i` is not at its default. */
static int vary(const struct plan *centre, int i, const struct visitor *v)
{
	const struct knob *knob = &centre->pattern->knobs[i];
	const char *at = knob->sweep;
	int err = 0;

	while (!err && *at) {
		struct plan plan = *centre;
		size_t length = strcspn(at, ",");
		char text[32], why[256];

		snprintf(text, sizeof(text), "%.*s", (int)length, at);
		at += length + (at[length] == ',');
		/* A list that its own knob refuses is a fault of the pattern.
		 */
		CHECK_EQ(params_set(plan.pattern, &plan.params, knob->name,
		                    text, why, sizeof(why)),
		         0);
		if (plan.params.value[i] != knob->def)
			err = offer(&plan, v);
	}
	return err;
}

static int star(const struct plan *centre, const struct visitor *v)
{
	int err = offer(centre, v);

	for (int i = 0; !err && centre->pattern->knobs[i].name; i++)
		if (cells_swept(&centre->pattern->knobs[i]))
			err = vary(centre, i, v);
	return err;
}

int cells_visit(const struct plan *base, const struct weft_chan_impl *extra,
                int (*visit)(const struct plan *plan, void *arg), void *arg)
{
	const struct visitor v = { visit, arg };
	const struct pattern *pattern;
	struct plan plan = *base;
	int err = 0;

	for (size_t p = 0; !err && (pattern = pattern_at(p)); p++) {
		plan.pattern = pattern;
		params_default(pattern, &plan.params);
		for (size_t c = 0; !err && (plan.chan = weft_chan_impl_at(c));
		     c++)
			err = star(&plan, &v);
		plan.chan = extra;
		if (!err && extra)
			err = star(&plan, &v);
	}
	return err;
}
