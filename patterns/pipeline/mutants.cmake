# Planted in the pipeline for its kernel to catch. A worker that forgets what it
# holds at the end of a batch loses items.
weft_add_pattern_mutant(pipeline loses_the_last_of_a_batch pipeline/pipeline.c
  "weft_chan_send_many(s->to, w->made, w->nmade, &w->sent,"
  "weft_chan_send_many(s->to, w->made, w->nmade - 1, &w->sent,"
  KNOBS "batch=16"
  WORDS lost)
weft_add_pattern_mutant(pipeline adds_eleven pipeline/kernel.c
  "message_value(in) + 10);"
  "message_value(in) + 11);"
  WORDS corrupt)
