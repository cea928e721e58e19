#include "testing/demo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct showing {
	const struct pattern *pattern;
	FILE *out;
};

static int show(void *arg)
{
	struct showing *s = arg;

	return s->pattern->demo(s->out);
}

char *testing_demo(const struct pattern *p)
{
	struct showing s = { .pattern = p };
	char *text = NULL;
	size_t bytes;

	s.out = open_memstream(&text, &bytes);
	CHECK(s.out != NULL);
	CHECK_EQ(testing_join_moving(testing_spawn(show, &s)), 0);
	CHECK_EQ(fclose(s.out), 0);
	return text;
}

void testing_demo_lines(const struct pattern *p,
                        void (*follow)(const char *line, void *arg), void *arg)
{
	char *text = testing_demo(p), *rest = text, *line;

	while ((line = strtok_r(rest, "\n", &rest)))
		follow(line, arg);
	free(text);
}
