# Planted in the limiters, for the kernel to catch.

weft_add_pattern_mutant(rate_limiting grants_one_too_many rate_limiting/bucket.c
  "err = limiter_take(&b->limit,"
  "err = limiter_take(&(const struct limiter_limit){ b->limit.rate, b->limit.burst + 1 },"
  KNOBS "rate=1000 burst=5"
  CHANNELS handoff
  WORDS granted beyond)
weft_add_pattern_mutant(rate_limiting forgets_who_came_before rate_limiting/leaky.c
  "return (lack > 0 ? lack : 0) +"
  "return 0 * (lack > 0 ? lack : 0) +"
  KNOBS "variant=leaky rate=1000 burst=5"
  CHANNELS handoff
  WORDS granted beyond)
weft_add_pattern_mutant(rate_limiting forgets_some_keys rate_limiting/gcra.c
  "if (!err && e)"
  "if (!err && e && r->key % 2)"
  KNOBS "variant=gcra rate=1 burst=1 keys=1000"
  ITEMS 5000
  CHANNELS handoff
  WORDS granted beyond)
weft_add_pattern_mutant(rate_limiting hurries_to_catch_up rate_limiting/filler.c
  "due = weft_deadline_in(interval(&f->limit.rate, &parts));"
  "due = weft_deadline_add(due, interval(&f->limit.rate, &parts));"
  # Its drivers begin when some tokens would have been due.
  KNOBS "variant=refill mode=wait rate=20000 burst=2 workers=1"
  ITEMS 50
  TRIES 20
  CHANNELS handoff
  WORDS granted beyond)
