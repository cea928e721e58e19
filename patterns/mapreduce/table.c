#include "table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <weft/atomic.h>

#include "common/count.h"
#include "common/key.h"

#define SLOTS_MIN 64
#define BLOCK_MIN 4096
#define BLOCK_MAX ((size_t)1 << 20)
#define VALUES_MAX 4096 /* of one block */

/* --- memory that is freed all at once --- */

struct block {
	struct block *older;
	size_t bytes;
	_Alignas(16) unsigned char at[];
};

/* A block for `bytes` at least: each twice as large as the one before. */
static int add_block(struct table *t, size_t bytes)
{
	size_t size = t->blocks ? 2 * t->blocks->bytes : BLOCK_MIN;
	struct block *b;

	size = size < BLOCK_MAX ? size : BLOCK_MAX;
	size = size > bytes ? size : bytes;
	b = malloc(sizeof(*b) + size);
	if (!b)
		return -ENOMEM;
	b->older = t->blocks;
	b->bytes = size;
	t->blocks = b;
	t->at = b->at;
	t->left = size;
	count_add(&t->bytes, sizeof(*b) + size);
	return 0;
}

/* `head` and `tail` bytes one behind the other, at a multiple of 8; NULL. */
static void *take_bytes(struct table *t, size_t head, size_t tail)
{
	size_t bytes;
	void *at;

	if (__builtin_add_overflow(head, tail, &bytes) || bytes > SIZE_MAX / 4)
		return NULL;
	bytes = (bytes + 7) & ~(size_t)7;
	if (bytes > t->left && add_block(t, bytes))
		return NULL;
	at = t->at;
	t->at += bytes;
	t->left -= bytes;
	return at;
}

/* --- keys --- */

uint64_t weft_table_hash(const struct table_kind *k, struct weft_slice key)
{
	return key_hash(key.at, key.bytes, k->seed);
}

static bool is_key(const struct table_kind *k, const struct entry *e,
                   struct weft_slice key)
{
	return e->key_bytes == key.bytes &&
	       key_is_same((const char *)e + k->key_at, key.at, key.bytes);
}

/* The key's slot, or the free one where it belongs. */
static struct slot *find(const struct table *t, const struct table_kind *k,
                         uint64_t hash, struct weft_slice key)
{
	size_t mask = t->nslots - 1;

	for (size_t i = hash & mask;; i = (i + 1) & mask) {
		struct slot *s = &t->slots[i];

		if (!s->entry || (s->hash == hash && is_key(k, s->entry, key)))
			return s;
	}
}

static struct slot *find_free(const struct table *t, uint64_t hash)
{
	size_t mask = t->nslots - 1, i = hash & mask;

	while (t->slots[i].entry)
		i = (i + 1) & mask;
	return &t->slots[i];
}

static int grow(struct table *t)
{
	struct table old = { .slots = t->slots, .nslots = t->nslots };
	size_t n = old.nslots ? 2 * old.nslots : SLOTS_MIN;
	struct slot *slots = calloc(n, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	t->slots = slots;
	t->nslots = n;
	for (size_t i = 0; i < old.nslots; i++)
		if (old.slots[i].entry)
			*find_free(t, old.slots[i].hash) = old.slots[i];
	free(old.slots);
	count_add(&t->bytes, (n - old.nslots) * sizeof(*slots));
	return 0;
}

/* A quarter of the slots is free after one more key. */
static int make_room(struct table *t)
{
	return 4 * (t->used + 1) <= 3 * t->nslots ? 0 : grow(t);
}

static void fill(struct table *t, struct slot *s, uint64_t hash,
                 struct entry *e)
{
	*s = (struct slot){ hash, e };
	t->used++;
}

/* --- values --- */

static int add_value(struct table *t, const struct table_kind *k,
                     struct entry *e, const void *value)
{
	struct values *b = e->more;
	size_t room = b ? 2 * b->room : 3;

	if (!b || b->n == b->room) {
		room = room < VALUES_MAX ? room : VALUES_MAX;
		b = take_bytes(t, sizeof(*b), room * k->value_size);
		if (!b)
			return -ENOMEM;
		*b = (struct values){ e->more, 0, room };
		e->more = b;
	}
	if (k->value_size)
		memcpy(b->at + b->n * k->value_size, value, k->value_size);
	b->n++;
	e->n++;
	return 0;
}

static int add_key(struct table *t, const struct table_kind *k, struct slot *s,
                   uint64_t hash, struct weft_slice key, const void *value)
{
	struct entry *e = take_bytes(t, k->key_at, key.bytes);

	if (!e)
		return -ENOMEM;
	*e = (struct entry){ .n = 1, .key_bytes = key.bytes };
	if (k->value_size)
		memcpy(e->value, value, k->value_size);
	if (key.bytes)
		memcpy((char *)e + k->key_at, key.at, key.bytes);
	fill(t, s, hash, e);
	return 0;
}

int weft_table_put(struct table *t, const struct table_kind *k, uint64_t hash,
                   struct weft_slice key, const void *value, size_t *held)
{
	struct slot *s;

	*held = 1;
	if (__builtin_expect(make_room(t) != 0, 0))
		return -ENOMEM;
	s = find(t, k, hash, key);
	if (!s->entry)
		return add_key(t, k, s, hash, key, value);
	if (!k->combine)
		return add_value(t, k, s->entry, value);
	*held = 0;
	k->combine(s->entry->value, value, k->arg);
	return 0;
}

/* --- all of them --- */

int weft_table_join(struct table *t, const struct table_kind *k,
                    const struct table *other)
{
	for (size_t i = 0; i < other->nslots; i++) {
		const struct slot *from = &other->slots[i];
		struct slot *to;

		if (!from->entry)
			continue;
		if (make_room(t))
			return -ENOMEM;
		to = find(t, k, from->hash, entry_key(k, from->entry));
		if (!to->entry) {
			fill(t, to, from->hash, from->entry);
			continue;
		}
		from->entry->twin = to->entry->twin;
		to->entry->twin = from->entry;
	}
	return 0;
}

size_t weft_table_values(const struct entry *e)
{
	size_t n = 0;

	for (; e; e = e->twin)
		n += e->n;
	return n;
}

/* From the end on, since the newest are at hand. */
static void take_one(struct entry *e, const struct table_kind *k,
                     unsigned char *end)
{
	for (const struct values *b = e->more; b; b = b->older) {
		end -= b->n * k->value_size;
		memcpy(end, b->at, b->n * k->value_size);
	}
	memcpy(end - k->value_size, e->value, k->value_size);
}

void weft_table_take(struct entry *e, const struct table_kind *k,
                     unsigned char *to, size_t n)
{
	unsigned char *end = to + n * k->value_size;

	for (; e; e = e->twin) {
		if (k->value_size)
			take_one(e, k, end);
		end -= e->n * k->value_size;
		e->n = 0;
	}
}

static void drop_values(struct entry *e, const struct table_kind *k,
                        void (*drop)(void *value, void *arg), void *arg)
{
	if (!e->n)
		return;
	e->n = 0;
	drop(e->value, arg);
	for (struct values *b = e->more; b; b = b->older)
		for (size_t i = 0; i < b->n; i++)
			drop(b->at + i * k->value_size, arg);
}

void weft_table_drop(struct table *t, const struct table_kind *k,
                     void (*drop)(void *value, void *arg), void *arg)
{
	for (size_t i = 0; i < t->nslots; i++)
		if (t->slots[i].entry)
			drop_values(t->slots[i].entry, k, drop, arg);
}

void weft_table_free(struct table *t)
{
	struct block *b;

	while ((b = t->blocks)) {
		t->blocks = b->older;
		free(b);
	}
	free(t->slots);
	t->slots = NULL;
	t->nslots = 0;
}
