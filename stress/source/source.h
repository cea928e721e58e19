/*
 * source: a plug-in given as source, compiled with the user's compiler.
 *
 * Beside a plain shared object there are three more builds of it: for the
 * thread sanitizer, for those of addresses and undefined behaviour, and one in
 * which each synchronising operation may be delayed (core/perturb/). What a
 * build needs beyond the compiler lies beside the command or where it was
 * installed.
 */
#ifndef STRESS_SOURCE_SOURCE_H
#define STRESS_SOURCE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/args.h"

enum build {
	BUILD_PLAIN,
	BUILD_THREAD,
	BUILD_ADDRESS,
	BUILD_PERTURB,
	BUILDS,
};

/* "plain", "thread", "address", "perturb"; NULL at BUILDS. */
extern const char *const build_names[BUILDS + 1];

/* 0, or EXIT_BAD_INPUT after complaining. */
int build_option(const struct arg *arg, enum build *out);

struct source {
	const char *path;
	char *const *flags; /* what followed "--": n_flags words */
	int n_flags;
};

#define SOURCE_PATH_BYTES 4096

/* Whether a path is that of a source: .c, .cc, .cpp or .cxx. */
bool source_is(const char *path);

/*
 * Compile it; the shared object is removed when the process ends.
 *
 * out  receives its path.
 *
 * Returns 0; EXIT_BAD_INPUT when it does not compile, which the compiler has
 * said why; EXIT_FAILED when it cannot be tried.
 */
int source_build(const struct source *s, enum build build,
                 char out[SOURCE_PATH_BYTES]);

/*
 * The command that is to load such a build.
 *
 * path     receives it: this very one, or a weft with the sanitizer.
 * preload  receives what must be preloaded into it; "" for nothing.
 *
 * False when there is none here, and *why says what is missing.
 */
bool source_host(enum build build, char path[SOURCE_PATH_BYTES],
                 char preload[SOURCE_PATH_BYTES], const char **why);

/* A file of this process's own in a folder that goes when it ends. False when
 * there can be none. */
bool source_scratch(const char *name, char path[SOURCE_PATH_BYTES]);

/*
 * Run a command in a child process. argv[0] is its path.
 *
 * log      the file that its output goes to; NULL for where ours goes.
 * preload  "" for none.
 *
 * Returns its exit status; 128 and the signal that ended it; -errno when it
 * could not be run.
 */
int source_run(const char *const *argv, const char *log, const char *preload);

/* The option with which a command says how to repeat a finding in a build of a
 * source: --again=WORDS. Belongs to free(); NULL without the memory. */
char *source_again(const struct source *s, enum build build);

/*
 * Run `argv`, a command line of weft, again: with the shared object of that
 * build for the source that it loads, by the command that can. Returns the exit
 * status.
 */
int source_rerun(const struct source *s, enum build build, int argc,
                 char **argv);

#endif
