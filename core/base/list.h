/*
 * list: a doubly linked ring with its nodes inside what it links.
 *
 * A head and an unlinked node both point to themselves, so that unlinking
 * twice does no harm and "is it linked" needs no flag. No locks here.
 */
#ifndef WEFT_BASE_LIST_H
#define WEFT_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next, *prev;
};

#define list_entry(node, type, member)                                         \
	((type *)(void *)((char *)(node)-offsetof(type, member)))

static inline void list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool list_is_empty(const struct list *head)
{
	return head->next == head;
}

/* How many are linked. Walks. */
static inline size_t list_len(const struct list *head)
{
	size_t n = 0;

	for (const struct list *l = head->next; l != head; l = l->next)
		n++;
	return n;
}

/* Link at the end of the queue that `head` heads. */
static inline void list_push(struct list *head, struct list *node)
{
	node->prev = head->prev;
	node->next = head;
	head->prev->next = node;
	head->prev = node;
}

/* Link at the front of the queue that `head` heads. */
static inline void list_push_front(struct list *head, struct list *node)
{
	list_push(head->next, node);
}

static inline void list_unlink(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

/* Unlink and return the oldest node; NULL when there is none. */
static inline struct list *list_pop(struct list *head)
{
	struct list *node = head->next;

	if (node == head)
		return NULL;
	list_unlink(node);
	return node;
}

#endif
