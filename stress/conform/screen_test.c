#include "stress/conform/screen.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

/* A terminal of so many columns; exit status 77 where there are none. */
static FILE *terminal(unsigned short columns)
{
	struct winsize size = { .ws_row = 24, .ws_col = columns };
	int leader = posix_openpt(O_RDWR | O_NOCTTY), fd;
	FILE *out;

	if (leader < 0 || grantpt(leader) || unlockpt(leader))
		exit(77);
	fd = open(ptsname(leader), O_RDWR | O_NOCTTY);
	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, TIOCSWINSZ, &size), 0);
	out = fdopen(fd, "w");
	assert_non_null(out);
	return out;
}

static unsigned columns_of(unsigned short columns, const char *term)
{
	FILE *out = terminal(columns);
	unsigned found;

	if (term)
		setenv("TERM", term, 1);
	else
		unsetenv("TERM");
	found = screen_columns(out);
	fclose(out);
	return found;
}

static void a_terminal_has_its_columns(void **state)
{
	(void)state;
	assert_int_equal(columns_of(40, "xterm"), 40);
	assert_int_equal(columns_of(0, "xterm"), 80);
}

static void nothing_is_drawn_again_on_a_dumb_terminal_or_in_a_file(void **state)
{
	FILE *file = tmpfile();

	(void)state;
	assert_int_equal(columns_of(40, "dumb"), 0);
	assert_int_equal(columns_of(40, ""), 0);
	assert_int_equal(columns_of(40, NULL), 0);
	setenv("TERM", "xterm", 1);
	assert_non_null(file);
	assert_int_equal(screen_columns(file), 0);
	fclose(file);
}

static void assert_written(FILE *file, const char *expected)
{
	char text[1000] = "";

	rewind(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	assert_string_equal(text, expected);
	fclose(file);
}

static void assert_drawn(unsigned columns, const char *line,
                         const char *expected)
{
	FILE *file = tmpfile();

	assert_non_null(file);
	screen_draw(file, columns, "%s", line);
	assert_written(file, expected);
}

static void a_line_stays_one_line(void **state)
{
	(void)state;
	assert_drawn(5, "abcd", "abcd");
	assert_drawn(5, "abcde", "abcd");
	assert_drawn(1, "abc", "");
	assert_drawn(3, "\xc3\xa9\xc3\xa9\xc3\xa9", "\xc3\xa9\xc3\xa9");
}

static void assert_quoted(const char *word, const char *expected)
{
	FILE *file = tmpfile();

	assert_non_null(file);
	screen_quote(file, word);
	assert_written(file, expected);
}

static void a_word_stays_one_word(void **state)
{
	(void)state;
	assert_quoted("./a-b_c.so", "./a-b_c.so");
	assert_quoted("my chan.so", "'my chan.so'");
	assert_quoted("it's", "'it'\\''s'");
	assert_quoted("$(x)*", "'$(x)*'");
	assert_quoted("", "''");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_terminal_has_its_columns),
		cmocka_unit_test(
		        nothing_is_drawn_again_on_a_dumb_terminal_or_in_a_file),
		cmocka_unit_test(a_line_stays_one_line),
		cmocka_unit_test(a_word_stays_one_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
