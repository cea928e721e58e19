#include "bench/args.h"

#include <stddef.h>

#include <weft/time.h>

#define NAMES_MAX 64

int arg_pattern(const char *name, const struct pattern **out)
{
	const char *names[NAMES_MAX + 1] = { NULL };
	const struct pattern *p;

	*out = pattern_find(name);
	if (*out)
		return 0;
	for (size_t i = 0; i < NAMES_MAX && (p = pattern_at(i)); i++)
		names[i] = p->name;
	return complain_unknown("no pattern", name, names);
}

int arg_timeout_fits(int64_t timeout_ns, const char *key, int64_t time_ns)
{
	if (!timeout_ns || timeout_ns > time_ns)
		return 0;
	return complain("--timeout=%lld: must be more than the --%s=%lld "
	                "milliseconds that a run takes",
	                (long long)(timeout_ns / WEFT_SEC), key,
	                (long long)(time_ns / WEFT_MS));
}
