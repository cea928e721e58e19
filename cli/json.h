/*
 * json: writes one JSON document, piece by piece.
 *
 * Inside an object every call takes a key, inside an array NULL. What JSON
 * cannot say becomes what it can: a number that is not finite is null, bytes
 * that are not UTF-8 are U+FFFD.
 */
#ifndef WEFT_CLI_JSON_H
#define WEFT_CLI_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
	FILE *to;
	bool comma; /* something stands before, in the innermost container */
};

/* A writer at the start of a document. */
void json_init(struct json *j, FILE *to);

void json_object_begin(struct json *j, const char *key);
void json_object_end(struct json *j);
void json_array_begin(struct json *j, const char *key);
void json_array_end(struct json *j);

/* NULL is written as null. */
void json_string(struct json *j, const char *key, const char *value);
void json_bool(struct json *j, const char *key, bool value);
void json_int(struct json *j, const char *key, int64_t value);
void json_uint(struct json *j, const char *key, uint64_t value);
/* The shortest form that reads back as the same number. */
void json_double(struct json *j, const char *key, double value);
void json_null(struct json *j, const char *key);

/* The end of the document: a newline. */
void json_finish(struct json *j);

#endif
