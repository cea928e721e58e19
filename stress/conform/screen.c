#include "stress/conform/screen.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define COLUMNS 80
#define LINE_BYTES 512

/* What no shell takes for anything but itself. */
#define PLAIN                                                                  \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"       \
	"%+,-./:=@_"

unsigned screen_columns(FILE *out)
{
	const char *term = getenv("TERM");
	struct winsize size = { 0 };

	if (!isatty(fileno(out)))
		return 0;
	if (!term || !*term || strcmp(term, "dumb") == 0)
		return 0;
	if (ioctl(fileno(out), TIOCGWINSZ, &size) || size.ws_col == 0)
		return COLUMNS;
	return size.ws_col;
}

static bool begins_character(char c)
{
	return ((unsigned char)c & 0xc0) != 0x80;
}

/* Cut after `columns` characters of UTF-8. */
static void cut(char *line, unsigned columns)
{
	for (; *line; line++)
		if (begins_character(*line) && columns-- == 0)
			break;
	*line = '\0';
}

void screen_draw(FILE *out, unsigned columns, const char *format, ...)
{
	char line[LINE_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	/* Some terminals begin a new line after the last column. */
	cut(line, columns - 1);
	fputs(line, out);
}

void screen_erase(FILE *out, unsigned columns)
{
	if (columns)
		fputs("\r\033[K", out);
}

void screen_quote(FILE *out, const char *word)
{
	if (*word && word[strspn(word, PLAIN)] == '\0') {
		fputs(word, out);
		return;
	}
	putc('\'', out);
	for (; *word; word++)
		if (*word == '\'')
			fputs("'\\''", out);
		else
			putc(*word, out);
	putc('\'', out);
}
