/*
 * component: the words that components have in common. What all of them do is
 * in docs/components.md.
 */
#ifndef WEFT_PATTERNS_COMPONENT_H
#define WEFT_PATTERNS_COMPONENT_H

/* What a component's function returns beside -errno: how many results it has
 * made of an element. More than one where the component allows that. */
enum weft_made {
	WEFT_SKIP, /* none */
	WEFT_EMIT, /* one, which goes on */
};

/* What an element does whose function fails: returns an error, or ends its task
 * with weft_task_exit() or pthread_exit(). A component refuses with -EINVAL
 * what it does not offer. */
enum weft_on_error {
	/* Stops the component as _fail() does. */
	WEFT_ON_ERROR_STOP,
	/* Has no result, and is counted; the others go on. */
	WEFT_ON_ERROR_SKIP,
	/* Stops what is before it; what was passed on before still goes its way
	 * and comes out. */
	WEFT_ON_ERROR_DRAIN,
};

#endif
