#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/json.h"

/* Open a document in memory; done_is() closes it and looks. */
struct document {
	struct json j;
	FILE *to;
	char *text;
	size_t bytes;
};

static void start(struct document *d)
{
	d->to = open_memstream(&d->text, &d->bytes);
	assert_non_null(d->to);
	json_init(&d->j, d->to);
}

static void done_is(struct document *d, const char *expected)
{
	json_finish(&d->j);
	fclose(d->to);
	assert_string_equal(d->text, expected);
	free(d->text);
}

static void containers_nest_and_commas_separate(void **state)
{
	struct document d;

	(void)state;
	start(&d);
	json_object_begin(&d.j, NULL);
	json_int(&d.j, "a", -1);
	json_array_begin(&d.j, "b");
	json_uint(&d.j, NULL, UINT64_MAX);
	json_object_begin(&d.j, NULL);
	json_object_end(&d.j);
	json_array_begin(&d.j, NULL);
	json_array_end(&d.j);
	json_array_end(&d.j);
	json_bool(&d.j, "c", true);
	json_null(&d.j, "d");
	json_object_end(&d.j);
	done_is(&d, "{\"a\":-1,\"b\":[18446744073709551615,{},[]],"
	            "\"c\":true,\"d\":null}\n");
}

static void strings_are_escaped(void **state)
{
	struct document d;

	(void)state;
	start(&d);
	json_string(&d.j, NULL, "a\"b\\c\n\x01\x7f/\xc3\xa9");
	done_is(&d, "\"a\\\"b\\\\c\\u000a\\u0001\\u007f/\xc3\xa9\"\n");
	start(&d);
	json_string(&d.j, NULL, NULL);
	done_is(&d, "null\n");
}

static void bytes_that_are_no_text_are_replaced(void **state)
{
	struct document d;

	(void)state;
	start(&d);
	/* A stray byte, an overlong form, half a surrogate, a cut sequence. */
	json_string(&d.j, NULL, "\xff|\xc0\xaf|\xed\xa0\x80|\xe2\x82");
	done_is(&d, "\"\\ufffd|\\ufffd\\ufffd|\\ufffd\\ufffd\\ufffd|"
	            "\\ufffd\\ufffd\"\n");
}

static void numbers_are_short_and_exact(void **state)
{
	struct document d;

	(void)state;
	start(&d);
	json_array_begin(&d.j, NULL);
	json_double(&d.j, NULL, 0.5);
	json_double(&d.j, NULL, 0.1 + 0.2);
	json_double(&d.j, NULL, 12345678);
	json_double(&d.j, NULL, 0);
	json_array_end(&d.j);
	done_is(&d, "[0.5,0.30000000000000004,12345678,0]\n");
}

static void what_is_not_finite_is_null(void **state)
{
	struct document d;

	(void)state;
	start(&d);
	json_array_begin(&d.j, NULL);
	json_double(&d.j, NULL, (double)NAN);
	json_double(&d.j, NULL, (double)INFINITY);
	json_double(&d.j, NULL, -(double)INFINITY);
	json_array_end(&d.j);
	done_is(&d, "[null,null,null]\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(containers_nest_and_commas_separate),
		cmocka_unit_test(strings_are_escaped),
		cmocka_unit_test(bytes_that_are_no_text_are_replaced),
		cmocka_unit_test(numbers_are_short_and_exact),
		cmocka_unit_test(what_is_not_finite_is_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
