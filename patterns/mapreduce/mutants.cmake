# Planted in the mapreduce, for its kernel to catch.

weft_add_pattern_mutant(mapreduce cuts_within_a_word mapreduce/slice.c
  "while (n < text->bytes && word[(unsigned char)text->at[n]])"
  "while (n < text->bytes && !word[(unsigned char)text->at[n]])"
  KNOBS "chunk=8 workers=1"
  WORDS lost "not in the text")
weft_add_pattern_mutant(mapreduce does_not_join_the_workers mapreduce/reduce.c
  "for (unsigned o = 1; o < m->owners && !err; o++)"
  "for (unsigned o = 1; o + 1 < m->owners && !err; o++)"
  KNOBS "chunk=8 workers=2"
  TRIES 50
  WORDS lost)
weft_add_pattern_mutant(mapreduce takes_two_keys_for_one mapreduce/table.c
  "if (!s->entry || (s->hash == hash && is_key(k, s->entry, key)))"
  "if (!s->entry || (s->hash ^ hash) % 65536 == 0 || is_key(k, s->entry, key))"
  KNOBS "workers=1 vocabulary=100000 skew=0"
  ITEMS 20000
  CHANNELS handoff
  WORDS lost)
weft_add_pattern_mutant(mapreduce puts_a_key_into_two_partitions mapreduce/map.c
  "partition = (size_t)((hash >> 32) * o->partitions >> 32);"
  "partition = (size_t)((hash ^ w->inputs) % o->partitions);"
  KNOBS "chunk=8 workers=1 vocabulary=10"
  WORDS "out twice")
weft_add_pattern_mutant(mapreduce forgets_values mapreduce/table.c
  "for (const struct values *b = e->more; b; b = b->older) {"
  "for (const struct values *b = e->more; b && b->older; b = b->older) {"
  KNOBS "workers=1 combine=0 vocabulary=10"
  WORDS "words were")
weft_add_pattern_mutant(mapreduce does_not_sort mapreduce/reduce.c
  "sift_down(heap, n, 0);"
  "sift_down(heap, n / 2, 0);"
  KNOBS "workers=2 vocabulary=1000"
  WORDS "out of order")
weft_add_pattern_mutant(mapreduce folds_out_of_order mapreduce/map.c
  "ticket = weft_order_end(w->m->order, taken);"
  "ticket = weft_order_end(w->m->order, taken) ^ 1;"
  KNOBS "variant=stream chunk=8 workers=1"
  WORDS "out of order")
