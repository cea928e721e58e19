#include "cmp_tint.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <weft/task.h>

/* Tasks that are told apart; any more have none of their own. */
#define TASKS_MAX 256

/* Those that can be read on a dark and on a light ground. */
static const char *const colours[] = { "36", "33", "35", "32", "34", "31" };
#define COLOURS (sizeof(colours) / sizeof(*colours))

/* Used under the lock of the stream. */
struct tint {
	FILE *out;
	const struct weft_task *task[TASKS_MAX]; /* as they came */
	size_t tasks;
};

bool cmp_tint_is_wanted(FILE *out)
{
	const char *none = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(fileno(out)) && !(none && *none) && term && *term &&
	       strcmp(term, "dumb") != 0;
}

/* NULL: none. */
static const char *colour_of(struct tint *t, const struct weft_task *task)
{
	size_t i = 0;

	while (i < t->tasks && t->task[i] != task)
		i++;
	if (i == TASKS_MAX)
		return NULL;
	if (i == t->tasks)
		t->task[t->tasks++] = task;
	return i ? colours[(i - 1) % COLOURS] : NULL;
}

static void write_line(const struct tint *t, const char *colour,
                       const char *line, size_t n, bool whole)
{
	if (colour && n)
		fprintf(t->out, "\033[%sm%.*s\033[0m", colour, (int)n, line);
	else
		fwrite(line, 1, n, t->out);
	if (whole)
		fputc('\n', t->out);
}

/* Called by the task that has filled a line, or written without a buffer. */
static ssize_t write_tinted(void *cookie, const char *text, size_t n)
{
	struct tint *t = cookie;
	const char *colour = colour_of(t, weft_self()), *end;
	size_t left = n, line;

	while (left) {
		end = memchr(text, '\n', left);
		line = end ? (size_t)(end - text) : left;
		write_line(t, colour, text, line, end != NULL);
		text += line + (end != NULL);
		left -= line + (end != NULL);
	}
	return fflush(t->out) ? 0 : (ssize_t)n;
}

FILE *cmp_tint_open(FILE *out, struct tint **to)
{
	const cookie_io_functions_t io = { .write = write_tinted };
	struct tint *t = calloc(1, sizeof(*t));
	FILE *stream;

	if (!t)
		return NULL;
	t->out = out;
	stream = fopencookie(t, "w", io);
	if (!stream) {
		free(t);
		return NULL;
	}
	setvbuf(stream, NULL, _IOLBF, BUFSIZ);
	*to = t;
	return stream;
}

void cmp_tint_forget(struct tint *t)
{
	t->tasks = 0;
}

int cmp_tint_close(FILE *stream, struct tint *t)
{
	int err = fclose(stream);

	free(t);
	return err;
}
