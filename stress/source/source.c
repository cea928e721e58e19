#include "stress/source/source.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weft/atomic.h>

#include "base/child.h"
#include "stress/conform/screen.h"

const char *const build_names[BUILDS + 1] = { "plain", "thread", "address",
	                                      "perturb", NULL };

int build_option(const struct arg *arg, enum build *out)
{
	if (arg_needs_value(arg))
		return EXIT_BAD_INPUT;
	for (int i = 0; i < BUILDS; i++)
		if (strcmp(arg->value, build_names[i]) == 0) {
			*out = (enum build)i;
			return 0;
		}
	return complain_unknown("no build of a source called", arg->value,
	                        build_names);
}

static const char *ending_of(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot && !strchr(dot, '/') ? dot : "";
}

static bool is_cxx(const char *path)
{
	const char *ending = ending_of(path);

	return strcmp(ending, ".cc") == 0 || strcmp(ending, ".cpp") == 0 ||
	       strcmp(ending, ".cxx") == 0;
}

bool source_is(const char *path)
{
	return strcmp(ending_of(path), ".c") == 0 || is_cxx(path);
}

/* --- where things are --- */

static bool is_there(const char *path)
{
	return access(path, R_OK) == 0;
}

/* The folder of the running command, with a slash at its end. */
static bool own_folder(char out[SOURCE_PATH_BYTES])
{
	ssize_t n = readlink("/proc/self/exe", out, SOURCE_PATH_BYTES - 1);
	char *slash;

	if (n <= 0)
		return false;
	out[n] = '\0';
	slash = strrchr(out, '/');
	if (slash)
		slash[1] = '\0';
	return slash;
}

/* A file in one of the folders beside the command, by the way to it from there.
 */
static bool find(const char *const *folders, const char *name,
                 char out[SOURCE_PATH_BYTES])
{
	char own[SOURCE_PATH_BYTES];

	if (!own_folder(own))
		return false;
	for (; *folders; folders++) {
		int n = snprintf(out, SOURCE_PATH_BYTES, "%s%s%s",
		                 **folders == '/' ? "" : own, *folders, name);

		if (n > 0 && n < SOURCE_PATH_BYTES && is_there(out))
			return true;
	}
	return false;
}

/* In a build tree things are beside the command; installed, where their kind
 * is. */
static const char *const programs[] = { "", NULL };
static const char *const archives[] = { "", WEFT_FROM_BIN_TO_LIB "/", NULL };
static const char *const preloads[] = { "", WEFT_FROM_BIN_TO_LIB "/weft/",
	                                NULL };
static const char *const headers[] = { WEFT_FROM_BIN_TO_INCLUDE "/",
	                               WEFT_SOURCE_INCLUDE "/", NULL };

/* --- a folder for what is made --- */

static char folder[SOURCE_PATH_BYTES / 2];
static pid_t folder_owner; /* 0 before there is one */
static char made[64][32];  /* the names of what is in it */
static unsigned made_n;

static void clean_up(void)
{
	char path[sizeof(folder) + sizeof(made[0])];

	if (getpid() != folder_owner)
		return; /* a child: it is its parent's */
	for (unsigned i = 0; i < made_n; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, made[i]);
		unlink(path);
	}
	rmdir(folder);
}

bool source_scratch(const char *name, char path[SOURCE_PATH_BYTES])
{
	unsigned i = 0;

	if (!folder_owner) {
		const char *tmp = getenv("TMPDIR");

		snprintf(folder, sizeof(folder), "%s/weft-XXXXXX",
		         tmp && *tmp ? tmp : "/tmp");
		if (!mkdtemp(folder))
			return false;
		folder_owner = getpid();
		atexit(clean_up);
	}
	while (i < made_n && strcmp(made[i], name) != 0)
		i++;
	if (i == sizeof(made) / sizeof(made[0]) ||
	    strlen(name) >= sizeof(made[0]))
		return false;
	if (i == made_n)
		strcpy(made[made_n++], name);
	snprintf(path, SOURCE_PATH_BYTES, "%s/%s", folder, name);
	return true;
}

/* --- children --- */

static _Atomic int came;
static _Atomic pid_t running;

static void on_signal(int number)
{
	pid_t child = weft_load_relaxed(&running);

	weft_store_relaxed(&came, number);
	if (child > 0)
		kill(child, number);
}

/* What ends this process must not leave the folder, nor the child. */
static void catch_signals(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = on_signal,
		                    .sa_flags = SA_RESTART };
	static bool caught;

	for (size_t i = 0; !caught && i < 3; i++)
		sigaction(signals[i], &action, NULL);
	caught = true;
}

static int wait_for(pid_t child)
{
	int status = 0, told = weft_child_wait(child, 0, &status);

	weft_store_relaxed(&running, 0);
	if (weft_load_relaxed(&came))
		exit(128 + weft_load_relaxed(&came));
	if (told != 1)
		return told < 0 ? told : -ECHILD;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status)
	                           : WEXITSTATUS(status);
}

#define WORDS_MAX 256

/* A channel may ask for more than there is, and go on without. */
#define ASAN_OPTIONS                                                           \
	"export ASAN_OPTIONS=\"allocator_may_return_null=1:"                   \
	"detect_stack_use_after_return=1${ASAN_OPTIONS:+:$ASAN_OPTIONS}\"; "

int source_run(const char *const *argv, const char *log, const char *preload)
{
	/* The shell does what posix_spawn() would need a dozen lines for. */
	const char *words[WORDS_MAX + 6] = {
		"/bin/sh",
		"-c",
		ASAN_OPTIONS
		"test -z \"$1\" || export LD_PRELOAD=\"$1${LD_PRELOAD:+ "
		"$LD_PRELOAD}\"; test -z \"$2\" || exec >\"$2\" 2>&1; "
		"shift 2; exec \"$@\"",
		"weft",
		preload,
		log ? log : ""
	};
	pid_t child;
	int n = 0, err;

	for (; argv[n]; n++) {
		if (n == WORDS_MAX - 1)
			return -E2BIG;
		words[6 + n] = argv[n];
	}
	fflush(NULL);
	catch_signals();
	/* Its status would be lost otherwise. */
	signal(SIGCHLD, SIG_DFL);
	err = weft_child_spawn(&child, words);
	if (err)
		return err;
	weft_store_relaxed(&running, child);
	return wait_for(child);
}

/* --- compiling --- */

struct words {
	const char *word[WORDS_MAX];
	int n;
};

static void add(struct words *w, const char *word)
{
	if (w->n < WORDS_MAX - 1)
		w->word[w->n++] = word;
}

static void add_all(struct words *w, char *const *words, int n)
{
	for (int i = 0; i < n; i++)
		add(w, words[i]);
}

/* The compiler is split into words, as make does: CC="ccache gcc -m64". */
static void add_compiler(struct words *w, const struct source *s)
{
	add(w, "/bin/sh");
	add(w, "-c");
	add(w, is_cxx(s->path) ? "exec ${CXX:-c++} \"$@\""
	                       : "exec ${CC:-cc} \"$@\"");
	add(w, "weft");
	add(w, is_cxx(s->path) ? "-std=gnu++17" : "-std=gnu17");
	add(w, "-O2");
	add(w, "-g");
	add(w, "-fPIC");
}

static int compile(struct words *w, const struct source *s)
{
	int status = source_run(w->word, NULL, "");

	if (status == 0)
		return 0;
	if (status < 0) {
		complain("cannot run the compiler: %s", strerror(-status));
		return EXIT_FAILED;
	}
	return complain("--load=%s: does not compile (%s; flags of its own "
	                "follow --)",
	                s->path, is_cxx(s->path) ? "$CXX or c++" : "$CC or cc");
}

static const char *const wraps[] = {
#define WRAPPED(name) "-Wl,--wrap=" #name,
#include "perturb/wrapped.def"
#undef WRAPPED
};

/* Instrumented for the thread sanitizer, and linked without it. */
static int build_perturb(const struct source *s, const char *include,
                         const char *object, const char *out)
{
	char library[SOURCE_PATH_BYTES];
	struct words w = { .n = 0 };
	int err;

	if (!find(archives, "libweft_perturb.a", library)) {
		complain("libweft_perturb.a is not beside this weft");
		return EXIT_FAILED;
	}
	add_compiler(&w, s);
	add(&w, "-fsanitize=thread");
	add(&w, include);
	add_all(&w, s->flags, s->n_flags);
	add(&w, "-c");
	add(&w, "-o");
	add(&w, object);
	add(&w, s->path);
	err = compile(&w, s);
	if (err)
		return err;
	w.n = 0;
	add_compiler(&w, s);
	add(&w, "-shared");
	add(&w, "-o");
	add(&w, out);
	add(&w, object);
	for (size_t i = 0; i < sizeof(wraps) / sizeof(wraps[0]); i++)
		add(&w, wraps[i]);
	add_all(&w, s->flags, s->n_flags);
	add(&w, library);
	return compile(&w, s);
}

static void add_sanitizer(struct words *w, enum build build)
{
	if (build == BUILD_THREAD)
		add(w, "-fsanitize=thread");
	if (build != BUILD_ADDRESS)
		return;
	add(w, "-fsanitize=address,undefined");
	add(w, "-fno-sanitize-recover=undefined");
	add(w, "-fno-omit-frame-pointer");
}

int source_build(const struct source *s, enum build build,
                 char out[SOURCE_PATH_BYTES])
{
	char header[SOURCE_PATH_BYTES], include[SOURCE_PATH_BYTES + 2];
	char object[SOURCE_PATH_BYTES], name[32];
	struct words w = { .n = 0 };

	if (!is_there(s->path))
		return complain("--load=%s: %s", s->path, strerror(errno));
	if (!find(headers, "weft/chan_impl.h", header)) {
		complain("weft's public headers are not where this weft was "
		         "built or installed");
		return EXIT_FAILED;
	}
	header[strlen(header) - strlen("/weft/chan_impl.h")] = '\0';
	snprintf(include, sizeof(include), "-I%s", header);
	snprintf(name, sizeof(name), "%s.so", build_names[build]);
	if (!source_scratch(name, out) || !source_scratch("x.o", object)) {
		complain("no folder for temporary files can be made: %s",
		         strerror(errno));
		return EXIT_FAILED;
	}
	if (build == BUILD_PERTURB)
		return build_perturb(s, include, object, out);
	add_compiler(&w, s);
	add_sanitizer(&w, build);
	add(&w, "-shared");
	add(&w, include);
	add(&w, "-o");
	add(&w, out);
	add(&w, s->path);
	add_all(&w, s->flags, s->n_flags);
	return compile(&w, s);
}

/* --- what loads it --- */

/* The build that the running command loads as it is. */
static enum build own_build(void)
{
#if defined(__SANITIZE_THREAD__)
	return BUILD_THREAD;
#elif defined(__SANITIZE_ADDRESS__)
	return BUILD_ADDRESS;
#else
	return BUILD_PLAIN;
#endif
}

/* What the compiler of this very source calls the library; gcc's name. */
static bool find_asan(char out[SOURCE_PATH_BYTES])
{
	char list[SOURCE_PATH_BYTES];
	static const char *const words[] = {
		"/bin/sh", "-c", "exec ${CC:-cc} -print-file-name=libasan.so",
		NULL
	};
	char *end;
	FILE *f;
	bool got;

	if (!source_scratch("asan.path", list) ||
	    source_run(words, list, "") != 0)
		return false;
	f = fopen(list, "re");
	if (!f)
		return false;
	got = fgets(out, SOURCE_PATH_BYTES, f);
	fclose(f);
	if (!got)
		return false;
	end = out + strcspn(out, "\n");
	*end = '\0';
	return strchr(out, '/') && is_there(out);
}

bool source_host(enum build build, char path[SOURCE_PATH_BYTES],
                 char preload[SOURCE_PATH_BYTES], const char **why)
{
	ssize_t n = readlink("/proc/self/exe", path, SOURCE_PATH_BYTES - 1);

	*preload = '\0';
	*why = "/proc is not here";
	if (n <= 0)
		return false;
	path[n] = '\0';
	/* Without it, checks of failing allocations do not apply. */
	if (build == BUILD_PLAIN && !find(preloads, "weft_oom.so", preload))
		*preload = '\0';
	if (build == own_build())
		return true;
	if (build == BUILD_THREAD) {
		*why = "weft-tsan is not beside this weft: it was built "
		       "without (WEFT_TSAN_HOST)";
		return find(programs, "weft-tsan", path);
	}
	if (own_build() != BUILD_PLAIN) {
		*why = "this weft is built with a sanitizer itself";
		return false;
	}
	if (build == BUILD_ADDRESS) {
		*why = "the compiler has no libasan.so to be preloaded";
		return find_asan(preload);
	}
	return true;
}

/* --- a command line again --- */

static bool is_own_option(const char *word)
{
	return strncmp(word, "--load=", 7) == 0 ||
	       strncmp(word, "--build=", 8) == 0;
}

char *source_again(const struct source *s, enum build build)
{
	char *text = NULL;
	size_t bytes;
	FILE *f = open_memstream(&text, &bytes);

	if (!f)
		return NULL;
	fputs("--again=--load=", f);
	screen_quote(f, s->path);
	fprintf(f, " --build=%s", build_names[build]);
	if (s->n_flags)
		fputs(" --", f);
	for (int i = 0; i < s->n_flags; i++) {
		fputc(' ', f);
		screen_quote(f, s->flags[i]);
	}
	return fclose(f) ? NULL : text;
}

int source_rerun(const struct source *s, enum build build, int argc,
                 char **argv)
{
	char host[SOURCE_PATH_BYTES], preload[SOURCE_PATH_BYTES];
	char load[SOURCE_PATH_BYTES + 8] = "--load=";
	struct words w = { .n = 0 };
	const char *why;
	char *again;
	int status;

	if (!source_host(build, host, preload, &why)) {
		complain("--build=%s: %s", build_names[build], why);
		return EXIT_FAILED;
	}
	status = source_build(s, build, load + strlen(load));
	if (status)
		return status;
	again = source_again(s, build);
	add(&w, host);
	for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (!is_own_option(argv[i]))
			add(&w, argv[i]);
	add(&w, load);
	if (again)
		add(&w, again);
	status = source_run(w.word, NULL, preload);
	free(again);
	if (status < 0)
		complain("cannot run %s: %s", host, strerror(-status));
	return status < 0 ? EXIT_FAILED : status;
}
