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

/* --- lines and their forms --- */

#define FORMS_MAX 40
#define LINES_MAX 64
#define NUMBERS_MAX 3

/* The numbers of one line, and whether another line has come after it. */
struct line {
	int number[NUMBERS_MAX];
	bool taken[FORMS_MAX]; /* by a line of that form */
};

/* The lines of one form so far. */
struct came {
	struct line line[LINES_MAX];
	int n;
};

struct reading {
	const struct demo_form *forms;
	struct came came[FORMS_MAX];
	const char *text; /* the line that is looked at */
};

/* A number without needless zeros. */
static bool take_number(const char **line, int *number)
{
	const char *begin = *line;

	for (*number = 0; **line >= '0' && **line <= '9'; ++*line)
		*number = *number * 10 + (**line - '0');
	return *line > begin && (*begin != '0' || *line == begin + 1);
}

/* Whether the line is of this form, and its numbers. */
static bool is_of(const char *line, const char *form, int *numbers)
{
	for (; *form; form++) {
		if (*form == '#') {
			if (!take_number(&line, numbers++))
				return false;
			form++; /* its name */
		} else if (*line++ != *form) {
			return false;
		}
	}
	return *line == '\0';
}

/* What the i-th number of a form is called; 0 behind the last. */
static char name_of(const char *form, int i)
{
	for (; *form; form++)
		if (*form == '#' && i-- == 0)
			return form[1];
	return 0;
}

/* Whether numbers of the same name are the same. */
static bool agree(const char *a, const int *of_a, const char *b,
                  const int *of_b)
{
	for (int i = 0; name_of(a, i); i++)
		for (int k = 0; name_of(b, k); k++)
			if (name_of(a, i) == name_of(b, k) &&
			    of_a[i] != of_b[k])
				return false;
	return true;
}

static void expect(bool is_true, const struct reading *r, const char *what,
                   const struct demo_form *f)
{
	if (!is_true)
		fprintf(stderr, "'%s' %s (form '%s')\n", r->text, what,
		        f->form);
	CHECK(is_true);
}

/* Take one line of form `after` for this one of form i. */
static bool has_one_before(struct reading *r, int i, const int *numbers)
{
	const struct demo_form *f = &r->forms[i];
	struct came *before = &r->came[f->after - 1];

	for (int k = 0; k < before->n; k++) {
		struct line *line = &before->line[k];

		if (line->taken[i])
			continue;
		if (agree(f->form, numbers, r->forms[f->after - 1].form,
		          line->number)) {
			line->taken[i] = true;
			return true;
		}
		if (f->in_order)
			return false;
	}
	return false;
}

/* The line at hand is of form i. */
static void read_line(struct reading *r, int i, const int *numbers)
{
	const struct demo_form *f = &r->forms[i];
	struct came *came = &r->came[i];

	expect(came->n < f->times, r, "comes too often", f);
	memcpy(came->line[came->n++].number, numbers,
	       sizeof(came->line[0].number));
	for (int k = 0; k < f->since; k++)
		expect(r->came[k].n == r->forms[k].times, r, "comes too early",
		       f);
	if (f->after)
		expect(has_one_before(r, i, numbers), r,
		       "has nothing before it", f);
	if (f->ahead_of)
		expect(came->n - r->came[f->ahead_of - 1].n <= f->by, r,
		       "is too far ahead", f);
	if (f->holds)
		expect(f->holds(numbers, came->n), r, "is not true", f);
}

void testing_demo_fits(const char *text, const struct demo_form *forms)
{
	struct reading *r = calloc(1, sizeof(*r));
	char *copy = strdup(text), *rest = copy, *line;
	int numbers[NUMBERS_MAX] = { 0 }, i, fits;

	CHECK(r && copy);
	r->forms = forms;
	while ((line = strtok_r(rest, "\n", &rest))) {
		r->text = line;
		for (i = 0, fits = 0; forms[i].form; i++) {
			CHECK(i < FORMS_MAX && forms[i].times <= LINES_MAX);
			if (!is_of(line, forms[i].form, numbers))
				continue;
			read_line(r, i, numbers);
			fits++;
		}
		expect(fits > 0, r, "is of no form", &forms[0]);
	}
	r->text = "the end";
	for (i = 0; forms[i].form; i++)
		expect(r->came[i].n == forms[i].times, r, "comes too early",
		       &forms[i]);
	free(copy);
	free(r);
}

bool demo_counts_from_0(const int *numbers, int nth)
{
	return numbers[0] == nth - 1;
}

bool demo_counts_from_1(const int *numbers, int nth)
{
	return numbers[0] == nth;
}
