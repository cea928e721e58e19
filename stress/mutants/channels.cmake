# Bugs planted in the channels and in their front, as they were made elsewhere.
#
# They are built by the target `mutants` and run by scripts/mutants.py, not by
# `make test`: -C mutants shows them to ctest.

# chan_mutant(CHAN NAME SOURCE CHECKS FROM TO [OPTION...]): once the place of SOURCE that reads
# FROM reads TO, `weft check` of CHAN must not pass any of CHECKS. What these do not
# find is for the random stress. OPTION is for `weft check`.
function(chan_mutant CHAN NAME SOURCE CHECKS FROM TO)
  if(WEFT_SANITIZE)
    return()
  endif()
  planted(${CHAN}.${NAME} ${CHAN} ${SOURCE} "${FROM}" "${TO}")
  string(REPLACE ";" "|" only "${CHECKS}")
  planted_test(${CHAN}.${NAME} conform --chan=${CHAN} "--only=^(${only})$" --time-limit=1 ${ARGN})
  planted_test(${CHAN}.${NAME} stress chan --chan=${CHAN} --seconds=5 --time-limit=1 --failures=1)
endfunction()

# order_mutant(CHAN NAME SOURCE FROM TO): the same with an order that is too weak,
# which the thread sanitizer must see.
function(order_mutant CHAN NAME SOURCE FROM TO)
  planted(order.${CHAN}_${NAME} ${CHAN} ${SOURCE} "${FROM}" "${TO}")
  if(WEFT_SANITIZE STREQUAL "thread")
    planted_test(order.${CHAN}_${NAME} conform --chan=${CHAN} --time-limit=20
      "--only=^(what_was_written.*|every_element_arrives_exactly_once|a_send_that_races_with_close.*)$")
  elseif(NOT WEFT_SANITIZE)
    planted_test(order.${CHAN}_${NAME} stress chan --chan=${CHAN} --seconds=5 --time-limit=1 --failures=1)
  endif()
endfunction()

function(planted NAME CHAN SOURCE FROM TO)
  weft_mutate(source "chan_${NAME}" "${PROJECT_SOURCE_DIR}/core/${SOURCE}" "${FROM}" "${TO}")
  mutant_program(chan_${NAME} weft_conform "${PROJECT_SOURCE_DIR}/stress/conform/main.c" "${source}")
  mutant_program(stress_chan_${NAME} weft_stress "${PROJECT_SOURCE_DIR}/stress/random/main.c" "${source}")
  foreach(program chan_${NAME} stress_chan_${NAME})
    set_target_properties(${program} PROPERTIES EXCLUDE_FROM_ALL ON)
    target_compile_options(${program} PRIVATE -w)
    add_dependencies(mutants ${program})
  endforeach()
endfunction()

function(planted_test NAME TIER)
  set(program chan_${NAME})
  if(TIER STREQUAL "stress")
    set(program stress_chan_${NAME})
  endif()
  set(preload "")
  if(NOT WEFT_SANITIZE)
    set(preload "LD_PRELOAD=$<TARGET_FILE:weft_oom>")
  endif()
  add_test(NAME mutant.${NAME}.${TIER} CONFIGURATIONS mutants
    COMMAND "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/mutant_test.sh" ${TIER} $<TARGET_FILE:${program}> ${ARGN})
  set_tests_properties(mutant.${NAME}.${TIER} PROPERTIES
    LABELS "mutants;mutant" TIMEOUT 120 PROCESSORS 2 ENVIRONMENT "${preload}")
endfunction()

# --- ring ---

chan_mutant(ring sends_into_a_closed_one chan/ring.c sends_after_close_fail_and_deliver_nothing
  "if (tail & CLOSED || weft_load_acquire(&s->seq) != pos ||" "if (weft_load_acquire(&s->seq) != pos ||")
chan_mutant(ring full_without_a_look chan/ring.c a_task_that_took_finds_a_space_at_once
  "if (ring_is_full(r, *pos)) {" "(void)ring_is_full; if (true) {" --percent=1000)
chan_mutant(ring empty_without_a_look chan/ring.c a_task_that_sent_finds_an_element_at_once
  "if (tail >> 1 == *pos) {" "if (tail >> 1 == tail >> 1) {" --percent=1000)
chan_mutant(ring one_lap_for_one_slot chan/ring.c
  "try_calls_say_empty_and_full_without_waiting;many_laps_keep_counting"
  "r->laps = laps_of(config->cap);" "r->laps = laps_of(config->cap);
	r->laps.lap >>= config->cap == 1;")
chan_mutant(ring close_hides_what_is_claimed chan/ring.c
  "close_waits_for_what_is_being_sent;close_under_load_loses_nothing"
  "if (tail >> 1 == *pos) {" "if (tail >> 1 == *pos || tail & CLOSED) {")
chan_mutant(ring poll_says_the_length chan/ring.c
  "poll_tells_what_a_try_would_find;poll_positions_only_grow"
  "	return slots_poll(&r->laps, &r->tail, &r->head, dir, pos);" "	bool ready = slots_poll(&r->laps, &r->tail, &r->head, dir, pos);

	*pos = dir == 's' ? *pos : ring_len(state);
	return ready;")
chan_mutant(ring counts_in_32_bits chan/ring.c counters_may_pass_their_end
  "weft_store_release(&s->seq, pos + r->laps.lap);" "weft_store_release(&s->seq, (uint32_t)(pos + r->laps.lap));")
chan_mutant(ring forgets_the_size chan/ring.c "every_byte_of_every_size_arrives;elements_of_every_size_arrive_whole"
  "	r->elem_size = config->elem_size;" "	r->elem_size = config->elem_size > 8 ? config->elem_size & ~(size_t)7 : config->elem_size;")

chan_mutant(ring front_tells_nobody chan/ring.c "recv_waits_while_empty;every_element_wakes_a_receiver"
  "front_done(&c->receivers)" "0")

# --- mpsc ---

chan_mutant(mpsc sends_into_a_closed_one chan/mpsc.c sends_after_close_fail_and_deliver_nothing
  "	if (tail & CLOSED ||
	    !mpsc_is_below" "	if (!mpsc_is_below")
chan_mutant(mpsc goes_past_the_limit chan/mpsc.c
  "try_calls_say_empty_and_full_without_waiting;send_waits_while_full;every_element_arrives_exactly_once"
  "!mpsc_is_below(tail, weft_load_acquire(&q->limit)) || /* [limit] */" "")
chan_mutant(mpsc limit_without_head chan/mpsc.c
  "try_calls_say_empty_and_full_without_waiting;send_waits_while_full;every_element_arrives_exactly_once"
  "weft_load_acquire(&q->head) + q->laps.lap;" "pos + q->laps.lap;")
chan_mutant(mpsc empty_without_a_look chan/mpsc.c a_receiver_that_sent_finds_an_element
  "		if (tail >> 1 == head) {" "		if (tail >> 1 == tail >> 1) {" --percent=1000)
chan_mutant(mpsc close_hides_what_is_claimed chan/mpsc.c
  "close_waits_for_what_is_being_sent;close_under_load_loses_nothing"
  "		if (tail >> 1 == head) {" "		if (tail >> 1 == head || tail & CLOSED) {")
chan_mutant(mpsc gives_back_before_it_reads chan/mpsc.c
  "every_element_arrives_exactly_once;batches_lose_and_double_nothing;elements_of_every_size_arrive_whole;many_laps_keep_counting"
  "	elem_copy(elem, s->elem, elem_size);
	weft_store_release(&q->head, laps_next(&q->laps, head)); /* [head] */" "	weft_store_release(&q->head, laps_next(&q->laps, head));
	elem_copy(elem, s->elem, elem_size);")
chan_mutant(mpsc batch_gives_nothing_back chan/mpsc.c
  "batches_lose_and_double_nothing;one_batch_taken_wakes_all_that_fit;a_batch_larger_than_the_channel_goes_through"
  "	weft_store_release(&q->head, head); /* [head] */" "	(void)head;")
chan_mutant(mpsc poll_says_the_length chan/mpsc.c
  "poll_tells_what_a_try_would_find;poll_positions_only_grow"
  "	return slots_poll(&q->laps, &q->tail, &q->head, dir, pos);" "	bool ready = slots_poll(&q->laps, &q->tail, &q->head, dir, pos);

	*pos = dir == 's' ? *pos : mpsc_len(state);
	return ready;")
chan_mutant(mpsc counts_in_32_bits chan/mpsc.c counters_may_pass_their_end
  "weft_store_release(&s->seq, pos + 1);" "weft_store_release(&s->seq, (uint32_t)(pos + 1));")
chan_mutant(mpsc forgets_the_size chan/mpsc.c "every_byte_of_every_size_arrives;elements_of_every_size_arrive_whole"
  "	q->elem_size = config->elem_size;" "	q->elem_size = config->elem_size > 8 ? config->elem_size & ~(size_t)7 : config->elem_size;")
chan_mutant(mpsc front_tells_nobody chan/mpsc.c "recv_waits_while_empty;every_element_wakes_a_receiver"
  "front_done(&c->receivers)" "0")

# --- spsc ---

chan_mutant(spsc send_does_not_ask_for_the_end chan/spsc.c
  "a_send_that_races_with_close_is_kept_or_refused;close_waits_for_what_is_being_sent"
  "	return __builtin_expect(!weft_load_relaxed(&q->closing), 1);" "	return q->asymmetric;")
chan_mutant(spsc close_without_a_barrier chan/spsc.c
  "a_send_that_races_with_close_is_kept_or_refused;close_waits_for_what_is_being_sent"
  "		weft_barrier_heavy();
" "")
chan_mutant(spsc end_without_a_last_look chan/spsc.c
  "close_waits_for_what_is_being_sent;batches_drain_what_close_leaves;close_under_load_loses_nothing"
  "		q->tail_seen = final;
" "		(void)final;
")
chan_mutant(spsc one_too_many chan/spsc.c "try_calls_say_empty_and_full_without_waiting;len_and_cap_are_exact_at_rest"
  "	return q->cap - (t - q->head_seen);
}

static int spsc_try_send_many" "	return q->cap + 1 - (t - q->head_seen);
}

static int spsc_try_send_many")
chan_mutant(spsc batch_says_one_more chan/spsc.c "a_batch_says_exactly_how_many_it_moved;close_in_the_middle_of_a_batch_is_told"
  "	*done = sent;
" "	*done = sent + (sent < n);
")

chan_mutant(spsc front_sends_into_a_full_one chan/spsc.c
  "send_waits_while_full;every_element_arrives_exactly_once;many_laps_keep_counting"
  "if (!q->asymmetric || t - q->head_seen == q->cap ||" "if (!q->asymmetric ||")

# --- list ---

chan_mutant(list reads_before_it_is_written chan/list.c
  "every_element_arrives_exactly_once;a_task_that_sent_finds_an_element_at_once;batches_lose_and_double_nothing"
  "	list_await_written(slot);
	elem_copy(" "	elem_copy(")
chan_mutant(list frees_what_is_still_read chan/list.c
  "every_element_arrives_exactly_once;batches_lose_and_double_nothing;many_receivers_share_what_is_sent"
  "			return; /* its receiver goes on from here */" "			continue;")
chan_mutant(list keeps_a_segment chan/list.c channels_come_and_go_without_a_trace
  "	free(weft_load_relaxed(&l->spare));
" "")
chan_mutant(list sends_into_a_closed_one chan/list.c sends_after_close_fail_and_deliver_nothing
  "		if (pos & CLOSED) {
			err = -EPIPE;" "		if (pos & CLOSED && !n) {
			err = -EPIPE;")
chan_mutant(list counts_what_is_no_slot chan/list.c "len_and_cap_are_exact_at_rest;unbounded_crosses_its_segments;more_than_a_million_pass"
  "	return tail - tail / LAP - (head - head / LAP);" "	return tail - head;")
chan_mutant(list link_wipes_out_close chan/list.c
  "close_under_load_loses_nothing;a_batch_that_close_cuts_tells_how_far_it_got;close_waits_for_what_is_being_sent"
  "	weft_fetch_add_release(&l->tail.pos, UINT64_C(2));
	weft_store_release(&last->next" "	weft_store_release(&l->tail.pos, (weft_load_relaxed(&l->tail.pos) & ~CLOSED) + UINT64_C(2));
	weft_store_release(&last->next")

# --- handoff ---

chan_mutant(handoff takes_from_senders_after_close chan/handoff.c a_closed_channel_takes_nothing_from_waiting_senders
  "	w = h->closed ? NULL : handoff_claim_first(&h->senders, &parked);" "	w = handoff_claim_first(&h->senders, &parked);")
chan_mutant(handoff serves_the_last_first chan/handoff.c the_first_to_wait_is_the_first_to_meet
  "list_push(is_send ?" "list_push_front(is_send ?")
chan_mutant(handoff close_wakes_one chan/handoff.c "close_wakes_every_waiting_receiver;close_wakes_every_waiting_sender"
  "	} while (w);
}

static int handoff_close" "	} while (!h);
}

static int handoff_close")
chan_mutant(handoff wakes_nobody chan/handoff.c "recv_waits_while_empty;send_waits_while_full"
  "	weft_unpark(task);" "	(void)weft_unpark;")
chan_mutant(handoff batch_wakes_all_but_one chan/handoff.c "one_batch_wakes_all_that_it_serves;one_batch_taken_wakes_all_that_fit"
  "		for (size_t i = 0; i < woken; i++)" "		for (size_t i = 1; i < woken; i++)")
chan_mutant(handoff waits_in_the_wrong_queue chan/handoff.c "recv_waits_while_empty;every_element_wakes_a_receiver"
  "list_push(is_send ? &h->senders : &h->receivers," "list_push(&h->senders,")

chan_mutant(handoff puts_into_a_closed_one chan/handoff.c sends_after_close_fail_and_deliver_nothing
  "if (h->closed || h->len == h->cap || !list_is_empty(&h->receivers))"
  "if (h->len == h->cap || !list_is_empty(&h->receivers))")
chan_mutant(handoff puts_past_a_waiting_receiver chan/handoff.c "recv_waits_while_empty;every_element_wakes_a_receiver"
  "if (h->closed || h->len == h->cap || !list_is_empty(&h->receivers))"
  "if (h->closed || h->len == h->cap)")

# --- the front ---

chan_mutant(ring close_tells_senders_only chan/chan.c close_wakes_every_waiting_receiver
  "		waitq_notify_all(&c->receivers);
" "")
chan_mutant(ring batch_taken_tells_nobody chan/chan.c "one_batch_taken_wakes_all_that_fit;batches_lose_and_double_nothing"
  "	if (done)
		waitq_relay(&c->senders);
	return done;" "	return done;")
chan_mutant(ring try_tells_nobody chan/chan.c tries_get_through_to_a_waiting_peer
  "	err = c->impl->try_send(c->state, elem);
	if (!err)
		waitq_relay(&c->receivers);
	return err;
}

int weft_chan_try_recv" "	err = c->impl->try_send(c->state, elem);
	return err;
}

int weft_chan_try_recv")
chan_mutant(ring batch_sends_one_twice chan/chan.c "a_batch_larger_than_the_channel_goes_through;close_in_the_middle_of_a_batch_is_told"
  "		++*done;
	}
	return 0;" "		*done += *done == 0;
	}
	return 0;")

# --- memory orders ---

order_mutant(ring publish chan/ring.c
  "weft_store_release(&s->seq, pos + 1);" "weft_store_relaxed(&s->seq, pos + 1);")
order_mutant(ring take chan/ring.c
  "weft_store_release(&s->seq, pos + r->laps.lap);" "weft_store_relaxed(&s->seq, pos + r->laps.lap);")
order_mutant(ring close chan/ring.c
  "slots_close(&r->tail)" "(atomic_fetch_or_explicit(&r->tail, CLOSED, memory_order_relaxed) & CLOSED ? -EPIPE : 0)")
order_mutant(mpsc publish chan/mpsc.c
  "weft_store_release(&s->seq, pos + 1); /* [slot] */" "weft_store_relaxed(&s->seq, pos + 1);")
order_mutant(mpsc take chan/mpsc.c
  "weft_store_release(&q->head, laps_next(&q->laps, head)); /* [head] */" "weft_store_relaxed(&q->head, laps_next(&q->laps, head));")
order_mutant(mpsc limit chan/mpsc.c
  "weft_store_release(&q->limit, limit << 1);" "weft_store_relaxed(&q->limit, limit << 1);")
order_mutant(mpsc close chan/mpsc.c
  "slots_close(&q->tail)" "(atomic_fetch_or_explicit(&q->tail, CLOSED, memory_order_relaxed) & CLOSED ? -EPIPE : 0)")
order_mutant(spsc publish chan/spsc.c
  "weft_store_release(&q->tail, (t + n) << 1); /* [tail] */" "weft_store_relaxed(&q->tail, (t + n) << 1);")
order_mutant(spsc take chan/spsc.c
  "weft_store_release(&q->head, h + 1); /* [head] */" "weft_store_relaxed(&q->head, h + 1);")
order_mutant(list publish chan/list.c
  "weft_store_release(&slot->state, WRITTEN);" "weft_store_relaxed(&slot->state, WRITTEN);")
order_mutant(list link chan/list.c
  "weft_store_release(&last->next, next); /* [next] */" "weft_store_relaxed(&last->next, next);")
order_mutant(list close chan/list.c
  "weft_fetch_or_acq_rel(&l->tail.pos, CLOSED)" "atomic_fetch_or_explicit(&l->tail.pos, CLOSED, memory_order_relaxed)")
