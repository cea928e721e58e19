# Planted in the pipeline for its kernel to catch. A worker that forgets what it
# holds at the end of a batch loses items.
weft_add_pattern_mutant(pipeline loses_the_last_of_a_batch pipeline/worker.c
  "weft_chan_send_many(to, items, n, sent,"
  "weft_chan_send_many(to, items, n - 1, sent,"
  KNOBS "batch=16"
  WORDS lost)
weft_add_pattern_mutant(pipeline adds_eleven pipeline/kernel.c
  "message_value(in) + 10);"
  "message_value(in) + 11);"
  WORDS corrupt)
