/*
 * The commands that are Python scripts: each is scripts/NAME.py of the source
 * tree that the command was built in, or of the share folder that it was
 * installed with.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/command.h"
#include "cli/args.h"

#define PATH_BYTES 4096

/* Where scripts may be, seen from the folder of the command: as installed, and
 * in a build folder. */
static const char *const folders[] = { "../share/weft/scripts",
	                               "../../scripts" };

#define FOLDERS (sizeof(folders) / sizeof(folders[0]))

/* The running command. False when its path is too long or unknown. */
static bool own_path(char path[PATH_BYTES])
{
	ssize_t n = readlink("/proc/self/exe", path, PATH_BYTES - 1);

	if (n <= 0 || n == PATH_BYTES - 1)
		return false;
	path[n] = '\0';
	return true;
}

/* Whether FOLDER/NAME.py is a file to read; then `path` is it. */
static bool is_there(const char *folder, int folder_bytes, const char *below,
                     const char *name, char path[PATH_BYTES])
{
	int n = snprintf(path, PATH_BYTES, "%.*s%s/%s.py", folder_bytes, folder,
	                 below, name);

	return n > 0 && n < PATH_BYTES && access(path, R_OK) == 0;
}

static bool find_script(const char *own, const char *name,
                        char path[PATH_BYTES])
{
	const char *told = getenv("WEFT_SCRIPTS");
	const char *slash = strrchr(own, '/');

	if (told && *told)
		return is_there(told, (int)strlen(told), "", name, path);
	for (size_t i = 0; slash && i < FOLDERS; i++)
		if (is_there(own, (int)(slash + 1 - own), folders[i], name,
		             path))
			return true;
	return false;
}

/* Becomes the script. Returns the exit status where it cannot. */
static int script_run(int argc, char **argv)
{
	char own[PATH_BYTES], path[PATH_BYTES];
	char python[] = "python3";
	char **words;

	if (!own_path(own) || !find_script(own, argv[0], path)) {
		complain("%s is a Python script, and %s.py is not where this "
		         "weft looks for it: ../share/weft/scripts and "
		         "../../scripts beside it, or $WEFT_SCRIPTS",
		         argv[0], argv[0]);
		return EXIT_FAILED;
	}
	words = calloc((size_t)argc + 2, sizeof(*words));
	if (!words || setenv("WEFT_COMMAND", own, 1)) {
		free(words);
		complain("out of memory");
		return EXIT_FAILED;
	}
	words[0] = python;
	words[1] = path;
	memcpy(words + 2, argv + 1, sizeof(*words) * (size_t)(argc - 1));
	execvp(python, words);
	complain("%s needs python3: %s", argv[0], strerror(errno));
	free(words);
	return EXIT_FAILED;
}

const struct command command_advise = {
	.name = "advise",
	.summary = "which channel to use: measures those that can do what you "
	           "need",
	.is_script = true,
	.run = script_run,
};

const struct command command_compare = {
	.name = "compare",
	.summary = "what moved between two runs of a sweep",
	.is_script = true,
	.run = script_run,
};

const struct command command_doctor = {
	.name = "doctor",
	.summary = "what on this machine may disturb a measurement",
	.is_script = true,
	.run = script_run,
};

const struct command command_export = {
	.name = "export",
	.summary = "a run in the formats of other tools",
	.is_script = true,
	.run = script_run,
};
