#include "kernel/tally.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/cacheline.h"

static size_t words_of(const struct tally *t)
{
	return (size_t)(t->items / 64 + (t->items % 64 != 0));
}

static int consumer_init(const struct tally *t, struct tally_consumer *c)
{
	c->seen = cacheline_new(words_of(t), sizeof(*c->seen));
	c->next = cacheline_new(t->producers, sizeof(*c->next));
	return c->seen && c->next ? 0 : -ENOMEM;
}

int tally_new(struct tally **out, unsigned producers, unsigned consumers,
              uint64_t items)
{
	struct tally *t;

	if (!out || producers == 0 || consumers == 0)
		return -EINVAL;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->items = items;
	t->producers = producers;
	t->base = cacheline_new((size_t)producers + 1, sizeof(*t->base));
	t->consumer = cacheline_new(consumers, sizeof(*t->consumer));
	if (!t->base || !t->consumer)
		goto free_tally;
	t->consumers = consumers;
	for (unsigned p = 0; p < producers; p++)
		t->base[p + 1] = t->base[p] + tally_share(items, producers, p);
	for (unsigned c = 0; c < consumers; c++)
		if (consumer_init(t, &t->consumer[c]))
			goto free_tally;
	*out = t;
	return 0;

free_tally:
	tally_free(t);
	return -ENOMEM;
}

void tally_free(struct tally *t)
{
	if (!t)
		return;
	for (unsigned c = 0; c < t->consumers; c++) {
		free(t->consumer[c].seen);
		free(t->consumer[c].next);
	}
	free(t->consumer);
	free(t->base);
	free(t);
}

/* --- counting what should not be --- */

static void first_of(struct tally_first *first, uint64_t count,
                     unsigned producer, uint64_t seq, uint64_t after)
{
	if (count == 0)
		*first = (struct tally_first){ producer, seq, after };
}

void tally_corrupt(struct tally *t, unsigned consumer, uint64_t value)
{
	struct tally_consumer *c = &t->consumer[consumer];

	if (c->alien == 0)
		c->alien_is_value = true;
	first_of(&c->first_alien, c->alien++, 0, value, 0);
}

void tally_odd(struct tally *t, unsigned consumer, unsigned producer,
               uint64_t seq)
{
	struct tally_consumer *c = &t->consumer[consumer];
	uint64_t id, bit;

	if (producer >= t->producers ||
	    seq >= t->base[producer + 1] - t->base[producer]) {
		first_of(&c->first_alien, c->alien++, producer, seq, 0);
		return;
	}
	id = t->base[producer] + seq;
	bit = UINT64_C(1) << (id % 64);
	/* A repeat is out of order as well, but that says nothing more. */
	if (c->seen[id / 64] & bit)
		first_of(&c->first_again, c->again++, producer, seq, 0);
	else
		first_of(&c->first_late, c->late++, producer, seq,
		         c->next[producer] - 1);
	c->seen[id / 64] |= bit;
}

/* --- the verdict --- */

/* The sum over all consumers. */
struct findings {
	uint64_t again, late, alien, lost;
	struct tally_first first_again, first_late, first_alien, first_lost;
	bool alien_is_value;
};

static struct tally_first item_of(const struct tally *t, uint64_t id)
{
	unsigned p = 0;

	while (t->base[p + 1] <= id)
		p++;
	return (struct tally_first){ p, id - t->base[p], 0 };
}

/* Bits of the last word that stand for items. */
static uint64_t word_mask(const struct tally *t, size_t word)
{
	unsigned rest = (unsigned)(t->items % 64);

	return rest && word == t->items / 64 ? (UINT64_C(1) << rest) - 1
	                                     : UINT64_MAX;
}

static uint64_t first_bit(size_t word, uint64_t bits)
{
	return word * UINT64_C(64) + (unsigned)__builtin_ctzll(bits);
}

/* Lay one word of all consumers' bitmaps on top of each other. */
static void lay_word(const struct tally *t, size_t word, struct findings *f)
{
	uint64_t seen = 0, again, lost;

	for (unsigned c = 0; c < t->consumers; c++) {
		again = seen & t->consumer[c].seen[word];
		if (again && f->again == 0)
			f->first_again = item_of(t, first_bit(word, again));
		f->again += (unsigned)__builtin_popcountll(again);
		seen |= t->consumer[c].seen[word];
	}
	lost = ~seen & word_mask(t, word);
	if (lost && f->lost == 0)
		f->first_lost = item_of(t, first_bit(word, lost));
	f->lost += (unsigned)__builtin_popcountll(lost);
}

static void add_consumer(struct findings *f, const struct tally_consumer *c)
{
	if (c->again && f->again == 0)
		f->first_again = c->first_again;
	if (c->late && f->late == 0)
		f->first_late = c->first_late;
	if (c->alien && f->alien == 0) {
		f->first_alien = c->first_alien;
		f->alien_is_value = c->alien_is_value;
	}
	f->again += c->again;
	f->late += c->late;
	f->alien += c->alien;
}

static struct findings find(const struct tally *t)
{
	struct findings f = { 0 };

	for (unsigned c = 0; c < t->consumers; c++)
		add_consumer(&f, &t->consumer[c]);
	for (size_t word = 0; word < words_of(t); word++)
		lay_word(t, word, &f);
	return f;
}

static void add_item(struct text *l, const struct tally *t,
                     const struct tally_first *item)
{
	text_add(l, " (first: item %" PRIu64, item->seq);
	if (t->producers > 1)
		text_add(l, " of producer %u", item->producer);
}

static void say_alien(struct text *l, const struct findings *f)
{
	text_next(l);
	text_add(l, "received %" PRIu64 " corrupt item%s, never sent", f->alien,
	         f->alien == 1 ? "" : "s");
	if (f->alien_is_value)
		text_add(l, " (first: value %" PRIu64 ")", f->first_alien.seq);
	else
		text_add(l, " (first: item %" PRIu64 " of producer %u)",
		         f->first_alien.seq, f->first_alien.producer);
}

static void say_again(struct text *l, const struct tally *t,
                      const struct findings *f)
{
	text_next(l);
	text_add(l, "delivered %" PRIu64 " of %" PRIu64 " items twice",
	         f->again, t->items);
	add_item(l, t, &f->first_again);
	text_add(l, ")");
}

static void say_lost(struct text *l, const struct tally *t,
                     const struct findings *f)
{
	text_next(l);
	text_add(l, "lost %" PRIu64 " of %" PRIu64 " items", f->lost, t->items);
	add_item(l, t, &f->first_lost);
	text_add(l, ")");
}

static void say_late(struct text *l, const struct tally *t,
                     const struct findings *f)
{
	text_next(l);
	text_add(l, "%" PRIu64 " of %" PRIu64 " items out of order", f->late,
	         t->items);
	add_item(l, t, &f->first_late);
	text_add(l, " after %" PRIu64 ")", f->first_late.after);
}

int tally_report(const struct tally *t, bool order_promised, struct text *l)
{
	struct findings f = find(t);

	if (!order_promised)
		f.late = 0;
	/* The cause before its consequences: what is corrupt is missing too. */
	if (f.alien)
		say_alien(l, &f);
	if (f.again)
		say_again(l, t, &f);
	if (f.lost)
		say_lost(l, t, &f);
	if (f.late)
		say_late(l, t, &f);
	return f.alien || f.again || f.lost || f.late ? -EIO : 0;
}

int tally_verdict(const struct tally *t, bool order_promised, char *why,
                  size_t why_bytes)
{
	struct text l = text_in(why, why_bytes);

	return tally_report(t, order_promised, &l);
}
