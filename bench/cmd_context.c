/* weft context: the machine, and how this binary was built. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bench/command.h"
#include "bench/machine.h"
#include "cli/args.h"
#include "cli/json.h"
#include "kernel/work.h"

#if defined(__clang__)
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

static void print_json(const struct machine *m)
{
	struct json j;

	json_init(&j, stdout);
	json_object_begin(&j, NULL);
	json_string(&j, "cpu", m->cpu);
	json_int(&j, "cpus_online", m->cpus_online);
	json_uint(&j, "cpus_allowed", m->cpus_allowed);
	if (m->cpu_quota > 0)
		json_double(&j, "cpu_quota", m->cpu_quota);
	else
		json_null(&j, "cpu_quota");
	json_string(&j, "kernel", m->kernel);
	json_string(&j, "os", m->os);
	json_string(&j, "compiler", COMPILER);
	json_string(&j, "flags", WEFT_FLAGS);
	json_string(&j, "build_type", WEFT_BUILD_TYPE);
	json_string(&j, "sanitize", WEFT_SANITIZE);
	json_string(&j, "libc", m->libc);
	json_string(&j, "governor", m->governor);
	json_string(&j, "hypervisor", m->hypervisor);
	json_bool(&j, "membarrier", m->membarrier);
	json_double(&j, "clock_overhead_ns", m->clock_overhead_ns);
	if (m->steal >= 0)
		json_int(&j, "steal", m->steal);
	else
		json_string(&j, "steal", "unknown");
	json_uint(&j, "work_rate", work_speed());
	json_string(&j, "weft_version", WEFT_VERSION);
	json_object_end(&j);
	json_finish(&j);
}

static void line(const char *name, const char *value)
{
	printf("%-12s %s\n", name, value);
}

static void print_text(const struct machine *m)
{
	line("cpu", m->cpu);
	printf("%-12s %ld online, %u allowed", "cpus", m->cpus_online,
	       m->cpus_allowed);
	if (m->cpu_quota > 0)
		printf(", a quota of %g", m->cpu_quota);
	putchar('\n');
	line("governor", m->governor);
	line("hypervisor", m->hypervisor);
	if (m->steal >= 0)
		printf("%-12s %" PRId64 " jiffies since boot\n", "steal",
		       m->steal);
	else
		line("steal", "unknown");
	line("kernel", m->kernel);
	line("os", m->os);
	line("libc", m->libc);
	line("compiler", COMPILER);
	line("flags", WEFT_FLAGS);
	line("build type", WEFT_BUILD_TYPE);
	line("sanitize", *WEFT_SANITIZE ? WEFT_SANITIZE : "nothing");
	line("membarrier", m->membarrier ? "yes" : "no");
	printf("%-12s %.1f ns per reading\n", "clock", m->clock_overhead_ns);
	printf("%-12s %" PRIu64 " turns per us (--work-rate)\n", "work",
	       work_speed());
	line("weft", WEFT_VERSION);
}

static int run(int argc, char **argv)
{
	static const char *const known[] = { "--json", NULL };
	struct machine m;
	struct arg arg;
	bool json = false;
	int err = 0;

	for (int i = 1; i < argc && !err; i++) {
		if (arg_split(argv[i], &arg) && strcmp(arg.key, "json") == 0)
			err = arg_flag(&arg, &json);
		else
			err = complain_unknown("context has no option", argv[i],
			                       known);
	}
	if (err)
		return err;
	machine_get(&m);
	if (json)
		print_json(&m);
	else
		print_text(&m);
	return 0;
}

const struct command command_context = {
	.name = "context",
	.summary = "the machine, and how this binary was built",
	.help = "context [--json]\n",
	.run = run,
};
