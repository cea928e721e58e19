/* absent: the scenarios that no check covers, and why. */
#ifndef STRESS_CONFORM_ABSENT_H
#define STRESS_CONFORM_ABSENT_H

struct absent {
	const char *scenario; /* its number; NULL at the end of the list */
	const char *what, *why;
};

extern const struct absent absent_scenarios[];

#endif
