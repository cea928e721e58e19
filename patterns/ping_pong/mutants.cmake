# Planted in the link and its kernel, for the kernel to catch: what it promises is
# that each call gets its own reply, all of it.

weft_add_pattern_mutant(ping_pong cuts_a_reply ping_pong/link.c
  "copy(reply, m->body, l->opts.reply_size);"
  "copy(reply, m->body, l->opts.reply_size - 8);"
  KNOBS "payload=16"
  WORDS "corrupt replies")
# The client gives a call another number than it waits for.
weft_add_pattern_mutant(ping_pong waits_for_another_reply ping_pong/link.c
  "m->number = number;"
  "m->number = number + (number == 50);"
  WORDS "the client of pair 0 failed")
# The server answers the request before.
weft_add_pattern_mutant(ping_pong answers_another_request ping_pong/kernel.c
  "message_set(reply, ~id);"
  "message_set(reply, ~(id - (id % 100 == 50)));"
  KNOBS "pairs=2"
  WORDS "replies out of turn")
