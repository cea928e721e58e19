#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "cli/json.h"
#include "cli/plain.h"

void json_init(struct json *j, FILE *to)
{
	*j = (struct json){ .to = to };
}

/* Bytes of the well-formed UTF-8 sequence at `s`; 0 when it is none. */
static int utf8_length(const unsigned char *s)
{
	static const struct {
		unsigned char from, to, second_from, second_to;
		int length;
	} forms[] = {
		{ 0x20, 0x7f, 0, 0, 1 },       { 0xc2, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};
	size_t i = 0, n = sizeof(forms) / sizeof(forms[0]);

	while (i < n && (s[0] < forms[i].from || s[0] > forms[i].to))
		i++;
	if (i == n || (forms[i].length > 1 && (s[1] < forms[i].second_from ||
	                                       s[1] > forms[i].second_to)))
		return 0;
	for (int k = 2; k < forms[i].length; k++)
		if ((s[k] & 0xc0) != 0x80)
			return 0;
	return forms[i].length;
}

static void write_string(FILE *to, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;

	fputc('"', to);
	while (*s) {
		int length = utf8_length(s);

		if (*s < 0x20 || *s == 0x7f)
			fprintf(to, "\\u%04x", *s++);
		else if (length == 0)
			s++, fputs("\\ufffd", to);
		else if (*s == '"' || *s == '\\')
			fprintf(to, "\\%c", *s++);
		else
			s += fwrite(s, 1, (size_t)length, to);
	}
	fputc('"', to);
}

/* What stands before every value. */
static void lead(struct json *j, const char *key)
{
	if (j->comma)
		fputc(',', j->to);
	j->comma = true;
	if (!key)
		return;
	write_string(j->to, key);
	fputc(':', j->to);
}

static void begin(struct json *j, const char *key, char bracket)
{
	lead(j, key);
	fputc(bracket, j->to);
	j->comma = false;
}

static void end(struct json *j, char bracket)
{
	fputc(bracket, j->to);
	j->comma = true;
}

void json_object_begin(struct json *j, const char *key)
{
	begin(j, key, '{');
}

void json_object_end(struct json *j)
{
	end(j, '}');
}

void json_array_begin(struct json *j, const char *key)
{
	begin(j, key, '[');
}

void json_array_end(struct json *j)
{
	end(j, ']');
}

void json_string(struct json *j, const char *key, const char *value)
{
	if (!value) {
		json_null(j, key);
		return;
	}
	lead(j, key);
	write_string(j->to, value);
}

void json_bool(struct json *j, const char *key, bool value)
{
	lead(j, key);
	fputs(value ? "true" : "false", j->to);
}

void json_int(struct json *j, const char *key, int64_t value)
{
	lead(j, key);
	fprintf(j->to, "%" PRId64, value);
}

void json_uint(struct json *j, const char *key, uint64_t value)
{
	lead(j, key);
	fprintf(j->to, "%" PRIu64, value);
}

void json_double(struct json *j, const char *key, double value)
{
	char text[32];
	locale_t was;

	if (!isfinite(value)) {
		json_null(j, key);
		return;
	}
	lead(j, key);
	was = plain_begin();
	/* 17 digits always suffice, and mostly show noise. */
	for (int digits = 6; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	plain_end(was);
	fputs(text, j->to);
}

void json_null(struct json *j, const char *key)
{
	lead(j, key);
	fputs("null", j->to);
}

void json_finish(struct json *j)
{
	fputc('\n', j->to);
	j->comma = false;
}
