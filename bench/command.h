/* command: what a subcommand of `weft` is, and the list of them. */
#ifndef BENCH_COMMAND_H
#define BENCH_COMMAND_H

#include <stdbool.h>

struct command {
	const char *name;
	const char *summary; /* one line */
	const char *help;    /* everything after the usage's first word */

	/* A script, which prints its own help. */
	bool is_script;

	/* Whether it can do without stdout: it asks for it itself, then. */
	bool may_be_silent;

	/* Prints its help itself, for what else stands on the command line.
	 * NULL: `help` is all of it. As run(). */
	int (*explain)(int argc, char **argv);

	/* argv[0] is the subcommand. Returns the exit status. */
	int (*run)(int argc, char **argv);
};

/* 0, or EXIT_BAD_INPUT after complaining when the process was started with
 * stdout closed. */
int command_needs_stdout(void);

extern const struct command command_advise, command_bench, command_check,
        command_compare, command_context, command_doctor, command_export,
        command_list, command_run, command_stress;

#endif
