# Planted in the semaphore, for its kernel to catch.

weft_add_pattern_mutant(semaphore lets_one_too_many_in semaphore/semaphore.c
  "free_in(word) >= n)"
  "free_in(word) >= n - 1)"
  KNOBS "permits=2 workers=4"
  CHANNELS handoff
  WORDS too many)
weft_add_pattern_mutant(semaphore gives_one_back_too_few semaphore/semaphore.c
  "word_plus(word, n)"
  "word_plus(word, n - (n > 1))"
  KNOBS "permits=64 weight=2 workers=1"
  ITEMS 30
  CHANNELS handoff
  WORDS missing)
