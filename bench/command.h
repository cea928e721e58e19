/* command: what a subcommand of `weft` is, and the list of them. */
#ifndef BENCH_COMMAND_H
#define BENCH_COMMAND_H

struct command {
	const char *name;
	const char *summary; /* one line */
	const char *help;    /* everything after the usage's first word */

	/* argv[0] is the subcommand. Returns the exit status. */
	int (*run)(int argc, char **argv);
};

extern const struct command command_bench, command_check, command_context,
        command_list, command_run, command_stress;

#endif
