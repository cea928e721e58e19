#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bench/plan.h"
#include "cli/text.h"

void plan_init(struct plan *plan, const struct pattern *pattern,
               const struct weft_chan_impl *chan)
{
	*plan = (struct plan){
		.pattern = pattern,
		.chan = chan,
		.reps = 5,
		.time_ns = PLAN_TIME,
		.latency = true,
		.arrivals = ARRIVALS_FIXED,
		.utilization = PLAN_UTILIZATION,
		.seed = 1,
	};
	params_default(pattern, &plan->params);
}

uint64_t plan_items(const struct plan *plan)
{
	int i = pattern_knob(plan->pattern, "items");

	return i < 0 ? 0 : (uint64_t)plan->params.value[i];
}

uint64_t plan_items_max(const struct plan *plan)
{
	int i = pattern_knob(plan->pattern, "items");
	uint64_t max =
	        i < 0 ? PLAN_ITEMS_MAX : (uint64_t)plan->pattern->knobs[i].max;

	return max < PLAN_ITEMS_MAX ? max : PLAN_ITEMS_MAX;
}

bool knob_says(const struct params *params, size_t i)
{
	return !knob_is_text(&params->pattern->knobs[i]) || params->value[i];
}

const char *knob_text(const struct params *params, size_t i,
                      char to[KNOB_TEXT_BYTES])
{
	const struct knob *knob = &params->pattern->knobs[i];
	int64_t value = params->value[i];

	if (knob_is_text(knob))
		return params->text;
	if (knob->choices)
		return knob->choices[value];
	snprintf(to, KNOB_TEXT_BYTES, "%lld", (long long)value);
	return to;
}

void plan_name(const struct plan *plan, bool (*shown)(const struct knob *),
               char *name, size_t name_bytes)
{
	const struct knob *knob = plan->pattern->knobs;
	struct text l = text_in(name, name_bytes);
	char value[KNOB_TEXT_BYTES];

	text_add(&l, "%s/chan:%s", plan->pattern->name, plan->chan->name);
	for (size_t i = 0; knob[i].name; i++)
		if (knob_says(&plan->params, i) && (!shown || shown(&knob[i])))
			text_add(&l, "/%s:%s", knob[i].name,
			         knob_text(&plan->params, i, value));
}
