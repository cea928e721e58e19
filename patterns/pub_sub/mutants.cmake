# Planted in the bus, for the kernel to catch.

# The promise of the pattern: all who have joined get it.
weft_add_pattern_mutant(pub_sub forgets_the_last_to_join pub_sub/queues.c
  "m && m->id <= r->last && !err"
  "m && m->id < r->last && !err"
  CHANNELS handoff ring
  WORDS lost)
weft_add_pattern_mutant(pub_sub overruns_one_that_blocks pub_sub/ring.c
  "return r->cap - (weft_load_relaxed(&r->tail) - r->oldest);"
  "return r->cap;"
  KNOBS "variant=ring cap=4"
  CHANNELS handoff
  TRIES 20
  WORDS lost)
# What was missed must be told.
weft_add_pattern_mutant(pub_sub misses_and_does_not_tell pub_sub/queues.c
  "sub_missed(s, 1);"
  "sub_missed(s, 0);"
  KNOBS "policy=drop_oldest cap=1"
  CHANNELS handoff
  TRIES 20
  WORDS missed)
weft_add_pattern_mutant(pub_sub tells_too_little pub_sub/ring.c
  "sub_missed(m->sub, n - cursor);"
  "sub_missed(m->sub, n - cursor > 1);"
  KNOBS "variant=ring policy=latest"
  CHANNELS handoff
  TRIES 20
  WORDS missed)
# It takes one that is told twice: in a short run all may be missed at once.
weft_add_pattern_mutant(pub_sub tells_again_what_it_told pub_sub/bus.c
  "return missed - told;"
  "return missed;"
  KNOBS "policy=drop_oldest cap=1"
  ITEMS 100000
  CHANNELS handoff
  TRIES 20
  WORDS missed)
