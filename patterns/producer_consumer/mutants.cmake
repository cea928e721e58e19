# Planted in the buffer and its kernel, for the kernel to catch.

# The promise of the pattern: the last producer that is done closes, no other.
weft_add_pattern_mutant(producer_consumer closes_too_early
  producer_consumer/buffer.c
  "if (n == 1)
		weft_buffer_close(b);"
  "if (n == 2)
		weft_buffer_close(b);"
  KNOBS "producers=2"
  TRIES 20
  WORDS lost)
# Its books say less than has happened.
weft_add_pattern_mutant(producer_consumer counts_a_batch_once
  producer_consumer/buffer.c
  "weft_fetch_add_relaxed(&b->recvs.items, n);"
  "weft_fetch_add_relaxed(&b->recvs.items, 1u);"
  KNOBS "stats=1 batch=16"
  WORDS counted)
weft_add_pattern_mutant(producer_consumer forgets_a_batch
  producer_consumer/buffer.c
  "return buffer_received(b, err, *done);"
  "return buffer_received(b, err, *done -= *done > 3);"
  KNOBS "batch=16"
  WORDS lost)
# Twice as many are inside as were asked for. The producer has to look before a
# consumer that it has woken is through with them.
weft_add_pattern_mutant(producer_consumer doubles_the_capacity
  producer_consumer/buffer.c
  "impl, opts->cap, opts->elem_size,"
  "impl, 2 * opts->cap, opts->elem_size,"
  KNOBS "cap=8 work=100000"
  ITEMS 100
  TRIES 20
  CHANNELS handoff ring condvar
  WORDS held "of 8")
