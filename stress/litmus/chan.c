/* Litmus tests of one or two channels. */
#include "stress/litmus/litmus.h"

#define A 0
#define B 1
#define C 2

/* --- what many do --- */

static void fill_one(struct litmus_state *s)
{
	MUST(tag_try_send(s->c, 1), 0);
}

static void fill_two(struct litmus_state *s)
{
	fill_one(s);
	MUST(tag_try_send(s->c, 2), 0);
}

static void fill_both(struct litmus_state *s)
{
	fill_one(s);
	MUST(tag_try_send(s->d, 2), 0);
}

/* How many are inside, which is not for ever: the states are not used again. */
static unsigned left_in(struct weft_chan *c)
{
	unsigned n = 0;
	uint32_t tag;

	while (n < 9 && tag_try_recv(c, &tag) == 0)
		n++;
	return n;
}

static int64_t soon(void)
{
	return weft_deadline_in((int64_t)(weft_rand() % 2048));
}

static void idle(void)
{
	for (uint64_t n = weft_rand() % 64; n > 0; n--)
		weft_relax();
}

static void a_try_sends_1(struct litmus_state *s)
{
	s->result[A] = tag_try_send(s->c, 1);
}

static void b_try_sends_2(struct litmus_state *s)
{
	s->result[B] = tag_try_send(s->c, 2);
}

static void b_try_sends_late(struct litmus_state *s)
{
	idle();
	s->result[B] = tag_try_send(s->c, 1);
}

static void a_try_receives(struct litmus_state *s)
{
	s->result[A] = tag_try_recv(s->c, &s->tag[A]);
}

static void b_try_receives(struct litmus_state *s)
{
	s->result[B] = tag_try_recv(s->c, &s->tag[B]);
}

static void a_sends(struct litmus_state *s)
{
	s->result[A] = tag_send(s->c, 1, WEFT_FOREVER);
}

static void a_receives(struct litmus_state *s)
{
	s->result[A] = tag_recv(s->c, &s->tag[A], WEFT_FOREVER);
}

static void b_receives(struct litmus_state *s)
{
	s->result[B] = tag_recv(s->c, &s->tag[B], WEFT_FOREVER);
}

static void a_closes(struct litmus_state *s)
{
	s->result[A] = weft_chan_close(s->c);
}

static void b_closes(struct litmus_state *s)
{
	s->result[B] = weft_chan_close(s->c);
}

static void c_closes(struct litmus_state *s)
{
	idle();
	s->result[C] = weft_chan_close(s->c);
}

static uint32_t results_and_left(struct litmus_state *s)
{
	return OUTCOME(RESULT(s->result[A]), RESULT(s->result[B]),
	               left_in(s->c));
}

static uint32_t results_and_tag(struct litmus_state *s)
{
	return OUTCOME(RESULT(s->result[A]), RESULT(s->result[B]), s->tag[A]);
}

static uint32_t tags(struct litmus_state *s)
{
	return OUTCOME(s->tag[A], s->tag[B],
	               RESULT(s->result[A]) | RESULT(s->result[B]));
}

/* --- with deadlines --- */

static void a_receives_timed(struct litmus_state *s)
{
	s->result[A] = tag_recv(s->c, &s->tag[A], soon());
}

static void a_sends_2_timed(struct litmus_state *s)
{
	s->result[A] = tag_send(s->c, 2, soon());
}

static void b_receives_timed(struct litmus_state *s)
{
	s->result[B] = tag_recv(s->c, &s->tag[B], soon());
}

static void b_try_receives_late(struct litmus_state *s)
{
	idle();
	b_try_receives(s);
}

/* --- selects --- */

static int select_two(enum weft_case_op op_c, enum weft_case_op op_d,
                      struct litmus_state *s, int64_t deadline_ns, int *err,
                      uint32_t *tag)
{
	struct choice ch;
	int got;

	ch.n = 0;
	choice_add(&ch, op_c, s->c, 1);
	choice_add(&ch, op_d, s->d, 2);
	got = choice_make(&ch, deadline_ns);
	*err = got < 0 ? got : choice_err(&ch, got);
	*tag = got < 0 ? 0 : ch.tag[got];
	return got;
}

static void a_sends_c_or_receives_d(struct litmus_state *s)
{
	s->tag[A] =
	        (uint32_t)select_two(WEFT_CASE_SEND, WEFT_CASE_RECV, s,
	                             WEFT_FOREVER, &s->result[A], &s->tag[C]);
}

static void b_receives_c_or_sends_d(struct litmus_state *s)
{
	uint32_t tag;

	s->tag[B] = (uint32_t)select_two(WEFT_CASE_RECV, WEFT_CASE_SEND, s,
	                                 WEFT_FOREVER, &s->result[B], &tag);
}

static void a_receives_either(struct litmus_state *s)
{
	select_two(WEFT_CASE_RECV, WEFT_CASE_RECV, s, WEFT_FOREVER,
	           &s->result[A], &s->tag[A]);
}

static void a_receives_either_now(struct litmus_state *s)
{
	select_two(WEFT_CASE_RECV, WEFT_CASE_RECV, s, WEFT_NOW, &s->result[A],
	           &s->tag[A]);
}

static void b_receives_either_now(struct litmus_state *s)
{
	select_two(WEFT_CASE_RECV, WEFT_CASE_RECV, s, WEFT_NOW, &s->result[B],
	           &s->tag[B]);
}

static void c_sends_d(struct litmus_state *s)
{
	s->result[C] = tag_try_send(s->d, 2);
}

/* At every instant one of the two has an element. */
static void b_moves_it_from_c_to_d(struct litmus_state *s)
{
	MUST(tag_try_send(s->d, 2), 0);
	s->result[B] = tag_try_recv(s->c, &s->tag[B]);
}

static uint32_t closed_or_received(struct litmus_state *s)
{
	return OUTCOME(RESULT(s->result[A]), s->result[A] ? 0 : s->tag[A],
	               left_in(s->d));
}

/* --- more than one call --- */

static void a_sends_two(struct litmus_state *s)
{
	s->result[A] = tag_try_send(s->c, 1);
	s->result[C] = tag_try_send(s->c, 2);
}

static void b_receives_two(struct litmus_state *s)
{
	s->result[B] = tag_recv(s->c, &s->tag[A], WEFT_FOREVER);
	MUST(tag_recv(s->c, &s->tag[B], WEFT_FOREVER), 0);
}

static void a_writes_and_sends(struct litmus_state *s)
{
	s->data[0] = 7;
	a_try_sends_1(s);
}

static void b_receives_and_reads(struct litmus_state *s)
{
	b_receives(s);
	s->tag[A] = (uint32_t)s->data[0];
}

static void a_writes_and_closes(struct litmus_state *s)
{
	s->data[0] = 7;
	a_closes(s);
}

static void a_sends_c_takes_d(struct litmus_state *s)
{
	MUST(tag_try_send(s->c, 1), 0);
	s->result[A] = tag_try_recv(s->d, &s->tag[A]);
}

static void b_sends_d_takes_c(struct litmus_state *s)
{
	MUST(tag_try_send(s->d, 2), 0);
	s->result[B] = tag_try_recv(s->c, &s->tag[B]);
}

static uint32_t two_results(struct litmus_state *s)
{
	return OUTCOME(RESULT(s->result[A]), RESULT(s->result[B]), 0);
}

static void a_sees_the_end_and_sends(struct litmus_state *s)
{
	s->result[A] = tag_try_recv(s->c, &s->tag[A]);
	s->result[C] = s->result[A] == -EPIPE ? tag_try_send(s->c, 1) : -1;
}

static uint32_t end_and_send(struct litmus_state *s)
{
	return OUTCOME(RESULT(s->result[A]), RESULT(s->result[C]),
	               left_in(s->c));
}

static void a_sends_a_batch(struct litmus_state *s)
{
	const uint32_t batch[] = { 1, 2 };
	size_t done = 0;

	s->result[A] = tag_send_many(s->c, batch, 2, &done, WEFT_FOREVER);
	s->tag[A] = (uint32_t)done;
}

/* What the sender was told was sent, and what arrived. */
static uint32_t told_and_arrived(struct litmus_state *s)
{
	return OUTCOME(RESULT(s->result[A]), s->tag[A],
	               (s->result[B] == 0) + left_in(s->c));
}

static void c_asks_len(struct litmus_state *s)
{
	s->tag[C] = (uint32_t)weft_chan_len(s->c);
}

static uint32_t only_len(struct litmus_state *s)
{
	return OUTCOME(s->tag[C], 0, 0);
}

/* --- contexts --- */

static void make_ctx(struct litmus_state *s)
{
	MUST(weft_ctx_with_cancel(&s->ctx, NULL), 0);
}

static void end_ctx(struct litmus_state *s)
{
	weft_ctx_unref(s->ctx);
}

static void a_receives_with_ctx(struct litmus_state *s)
{
	s->result[A] = tag_recv_ctx(s->c, &s->tag[A], s->ctx, WEFT_FOREVER);
}

static void a_sends_2_with_ctx(struct litmus_state *s)
{
	s->result[A] = tag_send_ctx(s->c, 2, s->ctx, WEFT_FOREVER);
}

static void c_cancels(struct litmus_state *s)
{
	idle();
	MUST(weft_ctx_cancel(s->ctx, 0), 0);
}

static void fill_one_and_make_ctx(struct litmus_state *s)
{
	fill_one(s);
	make_ctx(s);
}

#define EXACT WEFT_CAN_LEN
#define FIFO WEFT_CAN_FIFO
#define SELECT WEFT_CAN_SELECT
#define TIMED WEFT_CAN_TIMEOUT

const struct litmus litmus_chan[] = {
	{ .name = "send_against_close",
	  .what = "a send is kept or refused, and never both",
	  .chans = 1,
	  .cap = 1,
	  .actors = 2,
	  .act = { a_try_sends_1, b_closes },
	  .judge = results_and_left,
	  .outcome = { { OUTCOME(0, 0, 1), LITMUS_REQUIRED, "sent, and there" },
	               { OUTCOME(EPIPE, 0, 0), LITMUS_REQUIRED,
	                 "-EPIPE, and not there" },
	               { OUTCOME(0, 0, 0), LITMUS_FORBID, "sent, and lost" },
	               { OUTCOME(EPIPE, 0, 1), LITMUS_FORBID,
	                 "-EPIPE, and there all the same" } } },
	{ .name = "two_closes",
	  .what = "one of two closes succeeds",
	  .chans = 1,
	  .cap = 1,
	  .actors = 2,
	  .act = { a_closes, b_closes },
	  .judge = two_results,
	  .outcome = { { OUTCOME(0, EPIPE, 0), LITMUS_REQUIRED, "the first" },
	               { OUTCOME(EPIPE, 0, 0), LITMUS_REQUIRED, "the second" },
	               { OUTCOME(0, 0, 0), LITMUS_FORBID, "both" },
	               { OUTCOME(EPIPE, EPIPE, 0), LITMUS_FORBID,
	                 "neither" } } },
	{ .name = "recv_against_close",
	  .what = "an element that is there wins over close",
	  .chans = 1,
	  .cap = 1,
	  .actors = 2,
	  .make = fill_one,
	  .act = { a_receives, b_closes },
	  .judge = results_and_tag,
	  .outcome = { { OUTCOME(0, 0, 1), LITMUS_REQUIRED, "received" },
	               { OUTCOME(EPIPE, 0, 0), LITMUS_FORBID, "-EPIPE" } } },
	{ .name = "try_recv_against_close",
	  .what = "an element that is there wins over close",
	  .chans = 1,
	  .cap = 1,
	  .actors = 2,
	  .make = fill_one,
	  .act = { a_try_receives, b_closes },
	  .judge = results_and_tag,
	  .outcome = { { OUTCOME(0, 0, 1), LITMUS_REQUIRED, "received" },
	               { OUTCOME(EAGAIN, 0, 0), LITMUS_FORBID, "-EAGAIN" },
	               { OUTCOME(EPIPE, 0, 0), LITMUS_FORBID, "-EPIPE" } } },
	{ .name = "recv_timeout_against_send",
	  .what = "an element is received, or stays inside",
	  .chans = 1,
	  .cap = 1,
	  .needs = TIMED,
	  .actors = 2,
	  .act = { a_receives_timed, b_try_sends_late },
	  .judge = results_and_left,
	  .outcome = { { OUTCOME(0, 0, 0), LITMUS_REQUIRED, "received" },
	               { OUTCOME(ETIMEDOUT, 0, 1), LITMUS_REQUIRED,
	                 "timed out, and inside" },
	               { OUTCOME(ETIMEDOUT, 0, 0), LITMUS_FORBID,
	                 "timed out, and lost" },
	               { OUTCOME(0, 0, 1), LITMUS_FORBID,
	                 "received, and inside" } } },
	{ .name = "send_timeout_against_recv",
	  .what = "an element is sent, or never seen",
	  .chans = 1,
	  .cap = 1,
	  .needs = TIMED | EXACT | WEFT_CAN_BOUNDED,
	  .actors = 2,
	  .make = fill_one,
	  .act = { a_sends_2_timed, b_try_receives_late },
	  .judge = results_and_left,
	  .outcome = { { OUTCOME(0, 0, 1), LITMUS_REQUIRED, "sent" },
	               { OUTCOME(ETIMEDOUT, 0, 0), LITMUS_REQUIRED,
	                 "timed out, and not inside" },
	               { OUTCOME(ETIMEDOUT, 0, 1), LITMUS_FORBID,
	                 "timed out, and inside" },
	               { OUTCOME(0, 0, 0), LITMUS_FORBID,
	                 "sent, and lost" } } },
	{ .name = "timeouts_at_a_meeting",
	  .what = "both meet, or both time out",
	  .chans = 1,
	  .cap = 0,
	  .needs = TIMED | WEFT_CAN_RENDEZVOUS,
	  .actors = 2,
	  .act = { a_sends_2_timed, b_receives_timed },
	  .judge = two_results,
	  .outcome = { { OUTCOME(0, 0, 0), LITMUS_REQUIRED, "they met" },
	               { OUTCOME(ETIMEDOUT, ETIMEDOUT, 0), LITMUS_REQUIRED,
	                 "both timed out" },
	               { OUTCOME(0, ETIMEDOUT, 0), LITMUS_FORBID,
	                 "only the send succeeded" },
	               { OUTCOME(ETIMEDOUT, 0, 0), LITMUS_FORBID,
	                 "only the receive succeeded" } } },
	{ .name = "a_meeting_against_close",
	  .what = "both meet, or both find the channel closed",
	  .chans = 1,
	  .cap = 0,
	  .needs = WEFT_CAN_RENDEZVOUS,
	  .actors = 3,
	  .act = { a_sends, b_receives, c_closes },
	  .judge = two_results,
	  .outcome = { { OUTCOME(0, 0, 0), LITMUS_REQUIRED, "they met" },
	               { OUTCOME(EPIPE, EPIPE, 0), LITMUS_REQUIRED,
	                 "both found it closed" },
	               { OUTCOME(0, EPIPE, 0), LITMUS_FORBID,
	                 "only the send succeeded" },
	               { OUTCOME(EPIPE, 0, 0), LITMUS_FORBID,
	                 "only the receive succeeded" } } },
	{ .name = "two_selects_meet",
	  .what = "two selects on each other agree on one channel",
	  .chans = 2,
	  .cap = 0,
	  .needs = SELECT | WEFT_CAN_RENDEZVOUS,
	  .actors = 2,
	  .act = { a_sends_c_or_receives_d, b_receives_c_or_sends_d },
	  .judge = tags,
	  .outcome = { { OUTCOME(0, 0, 0), LITMUS_REQUIRED, "on the first" },
	               { OUTCOME(1, 1, 0), LITMUS_REQUIRED, "on the second" },
	               { OUTCOME(0, 1, 0), LITMUS_FORBID, "both sent" },
	               { OUTCOME(1, 0, 0), LITMUS_FORBID, "both received" } } },
	{ .name = "select_against_close",
	  .what = "a select finds one channel closed, or an element in another",
	  .chans = 2,
	  .cap = 1,
	  .needs = SELECT,
	  .actors = 3,
	  .act = { a_receives_either, b_closes, c_sends_d },
	  .judge = closed_or_received,
	  .outcome = { { OUTCOME(EPIPE, 0, 1), LITMUS_REQUIRED,
	                 "closed; the element is still there" },
	               { OUTCOME(0, 2, 0), LITMUS_REQUIRED, "received" },
	               { OUTCOME(EPIPE, 0, 0), LITMUS_FORBID,
	                 "closed, and the element lost" } } },
	{ .name = "two_selects_two_elements",
	  .what = "each of two selects takes one of two elements",
	  .chans = 2,
	  .cap = 1,
	  .needs = SELECT,
	  .receivers = 2,
	  .actors = 2,
	  .make = fill_both,
	  .act = { a_receives_either_now, b_receives_either_now },
	  .judge = tags,
	  .outcome = { { OUTCOME(1, 2, 0), LITMUS_REQUIRED, "one way" },
	               { OUTCOME(2, 1, 0), LITMUS_REQUIRED, "the other way" },
	               { OUTCOME(1, 1, 0), LITMUS_FORBID, "both the first" },
	               { OUTCOME(2, 2, 0), LITMUS_FORBID,
	                 "both the second" } } },
	{ .name = "select_while_an_element_moves",
	  .what = "a select finds one where at every instant there is one",
	  .chans = 2,
	  .cap = 1,
	  .needs = SELECT,
	  .receivers = 2,
	  .actors = 2,
	  .make = fill_one,
	  .act = { a_receives_either_now, b_moves_it_from_c_to_d },
	  .judge = results_and_tag,
	  .outcome = { { OUTCOME(0, EAGAIN, 1), LITMUS_REQUIRED,
	                 "took the first" },
	               { OUTCOME(0, 0, 2), LITMUS_ACCEPT, "took the second" },
	               { OUTCOME(ETIMEDOUT, 0, 0), LITMUS_FORBID,
	                 "found nothing" } } },
	{ .name = "try_send_against_try_recv",
	  .what = "at capacity 1: taken, or inside",
	  .chans = 1,
	  .cap = 1,
	  .actors = 2,
	  .act = { a_try_sends_1, b_try_receives },
	  .judge = results_and_left,
	  .outcome = { { OUTCOME(0, 0, 0), LITMUS_REQUIRED, "taken" },
	               { OUTCOME(0, EAGAIN, 1), LITMUS_REQUIRED,
	                 "-EAGAIN, and inside" },
	               { OUTCOME(0, EAGAIN, 0), LITMUS_FORBID, "lost" },
	               { OUTCOME(0, 0, 1), LITMUS_FORBID, "doubled" } } },
	{ .name = "two_senders_one_slot",
	  .what = "one of two sends finds room",
	  .chans = 1,
	  .cap = 1,
	  .needs = EXACT | WEFT_CAN_BOUNDED,
	  .senders = 2,
	  .actors = 2,
	  .act = { a_try_sends_1, b_try_sends_2 },
	  .judge = results_and_left,
	  .outcome = { { OUTCOME(0, EAGAIN, 1), LITMUS_REQUIRED, "the first" },
	               { OUTCOME(EAGAIN, 0, 1), LITMUS_REQUIRED, "the second" },
	               { OUTCOME(0, 0, 2), LITMUS_FORBID, "both" },
	               { OUTCOME(EAGAIN, EAGAIN, 0), LITMUS_FORBID,
	                 "neither" } } },
	{ .name = "two_receivers_one_element",
	  .what = "one of two receives finds the element",
	  .chans = 1,
	  .cap = 1,
	  .receivers = 2,
	  .actors = 2,
	  .make = fill_one,
	  .act = { a_try_receives, b_try_receives },
	  .judge = results_and_left,
	  .outcome = { { OUTCOME(0, EAGAIN, 0), LITMUS_REQUIRED, "the first" },
	               { OUTCOME(EAGAIN, 0, 0), LITMUS_REQUIRED, "the second" },
	               { OUTCOME(0, 0, 0), LITMUS_FORBID, "both" },
	               { OUTCOME(EAGAIN, EAGAIN, 0), LITMUS_FORBID,
	                 "neither, and it is lost" },
	               { OUTCOME(EAGAIN, EAGAIN, 1), LITMUS_FORBID,
	                 "neither, and it is inside" } } },
	{ .name = "two_receivers_two_elements",
	  .what = "each of two receives takes one of two elements",
	  .chans = 1,
	  .cap = 2,
	  .receivers = 2,
	  .actors = 2,
	  .make = fill_two,
	  .act = { a_try_receives, b_try_receives },
	  .judge = tags,
	  .outcome = { { OUTCOME(1, 2, 0), LITMUS_REQUIRED, "one way" },
	               { OUTCOME(2, 1, 0), LITMUS_REQUIRED,
	                 "the other way" } } },
	{ .name = "two_in_order",
	  .what = "two elements of one sender arrive in order",
	  .chans = 1,
	  .cap = 2,
	  .needs = NEEDS_ORDER,
	  .actors = 2,
	  .act = { a_sends_two, b_receives_two },
	  .judge = tags,
	  .outcome = { { OUTCOME(1, 2, 0), LITMUS_REQUIRED, "in order" },
	               { OUTCOME(2, 1, 0), LITMUS_FORBID, "overtaken" } } },
	{ .name = "data_before_send",
	  .what = "what was written before a send is seen after its receive",
	  .chans = 1,
	  .cap = 1,
	  .actors = 2,
	  .act = { a_writes_and_sends, b_receives_and_reads },
	  .judge = results_and_tag,
	  .outcome = { { OUTCOME(0, 0, 7), LITMUS_REQUIRED, "seen" },
	               { OUTCOME(0, 0, 0), LITMUS_FORBID, "not seen" } } },
	{ .name = "data_before_close",
	  .what = "what was written before close is seen after -EPIPE",
	  .chans = 1,
	  .cap = 1,
	  .actors = 2,
	  .act = { a_writes_and_closes, b_receives_and_reads },
	  .judge = results_and_tag,
	  .outcome = { { OUTCOME(0, EPIPE, 7), LITMUS_REQUIRED, "seen" },
	               { OUTCOME(0, EPIPE, 0), LITMUS_FORBID, "not seen" } } },
	{ .name = "crossed_sends",
	  .what = "two tasks send on one channel and look into another",
	  .chans = 2,
	  .cap = 1,
	  .needs = FIFO,
	  .actors = 2,
	  .act = { a_sends_c_takes_d, b_sends_d_takes_c },
	  .judge = two_results,
	  .outcome = { { OUTCOME(0, 0, 0), LITMUS_INTERESTING, "both do" },
	               { OUTCOME(EAGAIN, 0, 0), LITMUS_REQUIRED, "one" },
	               { OUTCOME(0, EAGAIN, 0), LITMUS_REQUIRED, "the other" },
	               { OUTCOME(EAGAIN, EAGAIN, 0), LITMUS_INTERESTING,
	                 "neither: both sends were still on their way" } } },
	{ .name = "an_end_is_final",
	  .what = "no send succeeds once a receive has said -EPIPE",
	  .chans = 1,
	  .cap = 1,
	  .actors = 2,
	  .act = { a_sees_the_end_and_sends, b_closes },
	  .judge = end_and_send,
	  .outcome = { { OUTCOME(EPIPE, EPIPE, 0), LITMUS_REQUIRED,
	                 "it does not" },
	               { OUTCOME(EAGAIN, 1, 0), LITMUS_REQUIRED,
	                 "not closed yet" },
	               { OUTCOME(EPIPE, 0, 1), LITMUS_FORBID, "it does" },
	               { OUTCOME(EPIPE, 0, 0), LITMUS_FORBID,
	                 "it does, into the void" } } },
	{ .name = "batch_against_close",
	  .what = "a batch says how many were sent, and those arrive",
	  .chans = 1,
	  .cap = 1,
	  .actors = 3,
	  .act = { a_sends_a_batch, b_receives, c_closes },
	  .judge = told_and_arrived,
	  .outcome = { { OUTCOME(0, 2, 2), LITMUS_REQUIRED, "all" },
	               { OUTCOME(EPIPE, 1, 1), LITMUS_ACCEPT, "one" },
	               { OUTCOME(EPIPE, 0, 0), LITMUS_ACCEPT, "none" },
	               { OUTCOME(EPIPE, 0, 1), LITMUS_FORBID,
	                 "none, and one arrived" },
	               { OUTCOME(EPIPE, 1, 2), LITMUS_FORBID,
	                 "one, and both arrived" } } },
	{ .name = "len_is_within_bounds",
	  .what = "len is never below 0 or above the capacity",
	  .chans = 1,
	  .cap = 2,
	  .needs = EXACT | WEFT_CAN_BOUNDED,
	  .actors = 3,
	  .make = fill_one,
	  .act = { a_sends_two, b_try_receives, c_asks_len },
	  .judge = only_len,
	  .outcome = { { OUTCOME(0, 0, 0), LITMUS_ACCEPT, "0" },
	               { OUTCOME(1, 0, 0), LITMUS_REQUIRED, "1" },
	               { OUTCOME(2, 0, 0), LITMUS_INTERESTING, "2" } } },
	{ .name = "cancel_against_delivery",
	  .what = "an element is received, or stays inside",
	  .chans = 1,
	  .cap = 1,
	  .needs = SELECT,
	  .actors = 3,
	  .make = make_ctx,
	  .act = { a_receives_with_ctx, b_try_sends_late, c_cancels },
	  .judge = results_and_left,
	  .end = end_ctx,
	  .outcome = { { OUTCOME(0, 0, 0), LITMUS_REQUIRED, "received" },
	               { OUTCOME(ECANCELED, 0, 1), LITMUS_REQUIRED,
	                 "cancelled, and inside" },
	               { OUTCOME(ECANCELED, 0, 0), LITMUS_FORBID,
	                 "cancelled, and lost" },
	               { OUTCOME(0, 0, 1), LITMUS_FORBID,
	                 "received, and inside" } } },
	{ .name = "cancel_against_room",
	  .what = "an element is sent, or never seen",
	  .chans = 1,
	  .cap = 1,
	  .needs = SELECT | EXACT | WEFT_CAN_BOUNDED,
	  .actors = 3,
	  .make = fill_one_and_make_ctx,
	  .act = { a_sends_2_with_ctx, b_try_receives_late, c_cancels },
	  .judge = results_and_left,
	  .end = end_ctx,
	  .outcome = { { OUTCOME(0, 0, 1), LITMUS_REQUIRED, "sent" },
	               { OUTCOME(ECANCELED, 0, 0), LITMUS_REQUIRED,
	                 "cancelled, and not inside" },
	               { OUTCOME(ECANCELED, 0, 1), LITMUS_FORBID,
	                 "cancelled, and inside" },
	               { OUTCOME(0, 0, 0), LITMUS_FORBID,
	                 "sent, and lost" } } },
	{ .name = NULL },
};
