/* The `weft` command: finds the subcommand and hands over. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/command.h"
#include "cli/args.h"
#include "cli/plain.h"

static bool stdout_is_closed;

/*
 * What is opened takes the lowest number that is free: with one of the standard
 * descriptors closed, it would get what is meant for the terminal. So each of
 * them is taken before anything else is opened.
 */
static void take_standard_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
			continue;
		stdout_is_closed |= fd == STDOUT_FILENO;
		/* All below are taken: it gets this very number. */
		if (open("/dev/null", O_RDWR) != fd)
			_exit(EXIT_BAD_INPUT);
	}
}

int command_needs_stdout(void)
{
	return stdout_is_closed ? complain("stdout is closed") : 0;
}

static const struct command *const commands[] = {
	&command_list,    &command_run,    &command_check,   &command_stress,
	&command_bench,   &command_advise, &command_compare, &command_export,
	&command_context, &command_doctor,
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void print_usage(FILE *to)
{
	fputs("usage: weft COMMAND [ARGUMENTS]\n"
	      "\n"
	      "Measures concurrency patterns over channels, and checks every "
	      "run.\n"
	      "\n",
	      to);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(to, "  %-9s %s\n", commands[i]->name,
		        commands[i]->summary);
	fputs("\n"
	      "  weft help COMMAND says more; weft --version, which this is.\n"
	      "\n"
	      "Exit status: 0 all verified; 1 something failed its check or "
	      "hung;\n"
	      "2 bad input, a cell that the channel cannot do, or an output "
	      "that cannot be\n"
	      "written. weft compare has its own.\n",
	      to);
}

static const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

static int unknown_command(const char *name)
{
	const char *known[COMMANDS + 2] = { NULL };

	for (size_t i = 0; i < COMMANDS; i++)
		known[i] = commands[i]->name;
	known[COMMANDS] = "help";
	return complain_unknown("no command", name, known);
}

static int script_help(const struct command *command)
{
	char name[32], option[] = "--help";
	char *argv[] = { name, option, NULL };

	snprintf(name, sizeof(name), "%s", command->name);
	return command->run(2, argv);
}

/* argv  the command that it is about, and what stands behind that. */
static int help(int argc, char **argv)
{
	const struct command *command;

	if (argc < 1) {
		print_usage(stdout);
		return 0;
	}
	command = command_find(argv[0]);
	if (!command)
		return unknown_command(argv[0]);
	if (command->is_script)
		return script_help(command);
	if (command->explain)
		return command->explain(argc, argv);
	printf("usage: weft %s", command->help);
	return 0;
}

static bool asks_for_help(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--help") == 0)
			return true;
	return false;
}

static int dispatch(int argc, char **argv)
{
	const struct command *command = command_find(argv[0]);

	if (!command || !command->may_be_silent || asks_for_help(argc, argv))
		if (command_needs_stdout())
			return EXIT_BAD_INPUT;
	if (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "help") == 0)
		return help(argc - 1, argv + 1);
	if (strcmp(argv[0], "--version") == 0) {
		puts("weft " WEFT_VERSION);
		return 0;
	}
	if (!command)
		return unknown_command(argv[0]);
	if (asks_for_help(argc, argv))
		return help(argc, argv);
	return command->run(argc, argv);
}

int main(int argc, char **argv)
{
	int status;

	take_standard_descriptors();
	plain_begin(); /* for as long as this thread lives */
	if (argc < 2) {
		print_usage(stderr);
		return 1;
	}
	status = dispatch(argc - 1, argv + 1);
	/* A result that nobody got is no success. */
	errno = 0;
	if ((fflush(stdout) || ferror(stdout)) && status == 0)
		return complain("cannot write the output%s%s",
		                errno ? ": " : "",
		                errno ? strerror(errno) : "");
	return status;
}
