package main

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/semaphore"
)

// faulty is Go's channel with a fault in it: what a receiver gets is what fault
// makes of each message.
func faulty(fault func(seq uint64, value uint64, give func(uint64))) func(*cell) loops {
	return func(c *cell) loops {
		ch := make(chan uint64, c.cap)
		return loops{
			send: func(s *source) {
				for seq := uint64(0); seq < s.items; seq++ {
					fault(seq, s.prepare(seq), func(v uint64) { ch <- v })
				}
			},
			recv: func(s *sink) {
				for value := range ch {
					s.take(value)
				}
			},
			end: func() { close(ch) },
		}
	}
}

func testPlan(open func(*cell) loops, producers, consumers, capacity int) *plan {
	p := &plan{items: 3000, reps: 1, time: time.Millisecond, timeout: 20 * time.Second}
	p.pattern = find(patterns, patternName, "producer_consumer")
	p.chan_ = &channel{name: "test", open: open, patterns: []string{"producer_consumer"}}
	p.producers, p.receivers, p.cap = producers, consumers, capacity
	return p
}

func wantFailure(t *testing.T, why string, open func(*cell) loops) {
	t.Helper()
	o := measure(testPlan(open, 2, 2, 16))
	if o.verdict != failed || !strings.Contains(o.why, why) {
		t.Errorf("%s: %q, want FAILED: %q", o.verdict, o.why, why)
	}
	if o.rate() != nil {
		t.Error("a wrong channel has a speed")
	}
}

func TestALostMessageIsFound(t *testing.T) {
	wantFailure(t, "lost 2 of 3000 items", faulty(
		func(seq, value uint64, give func(uint64)) {
			if seq != 700 {
				give(value)
			}
		}))
}

func TestAMessageDeliveredTwiceIsFound(t *testing.T) {
	wantFailure(t, "delivered 2 of 3000 items twice", faulty(
		func(seq, value uint64, give func(uint64)) {
			give(value)
			if seq == 700 {
				give(value)
			}
		}))
}

func TestALossDoesNotHideBehindADuplicate(t *testing.T) {
	wantFailure(t, "delivered 2 of 3000 items twice; lost 2 of", faulty(
		func(seq, value uint64, give func(uint64)) {
			if seq == 700 {
				value--
			}
			give(value)
		}))
}

func TestMessagesOutOfOrderAreFound(t *testing.T) {
	open := faulty(func(seq, value uint64, give func(uint64)) {
		switch seq {
		case 700:
		case 701:
			give(value)
			give(value - 1)
		default:
			give(value)
		}
	})
	o := measure(testPlan(open, 2, 1, 16))
	if o.verdict != failed || o.why != "2 of 3000 items out of order" {
		t.Errorf("%s: %q", o.verdict, o.why)
	}
}

func TestWhatWasNeverSentIsFound(t *testing.T) {
	wantFailure(t, "received 2 corrupt items", faulty(
		func(seq, value uint64, give func(uint64)) {
			if seq == 700 {
				give(valueOf(9, 0))
			}
			give(value)
		}))
}

func TestAHangIsEnded(t *testing.T) {
	open := func(c *cell) loops {
		l := chanLoops(c)
		l.end = func() {} // no consumer learns that it was the last
		return l
	}
	p := testPlan(open, 2, 3, 16)
	p.timeout = 200 * time.Millisecond
	o := measure(p)
	if o.verdict != hung || o.why != "3 of 5 drivers had not ended after 0.2 s" {
		t.Errorf("%s: %q", o.verdict, o.why)
	}
}

func TestAPanicIsAFailure(t *testing.T) {
	open := func(c *cell) loops {
		l := chanLoops(c)
		l.send = func(*source) { panic("no") }
		l.end = func() {}
		return l
	}
	p := testPlan(open, 1, 0, 16)
	o := measure(p)
	if o.verdict != failed || o.why != "driver 0 panicked: no" {
		t.Errorf("%s: %q", o.verdict, o.why)
	}
}

func TestEveryChannelKeepsEveryMessage(t *testing.T) {
	for i := range channels {
		for _, ends := range [][2]int{{1, 1}, {4, 1}, {1, 4}, {3, 3}} {
			for _, capacity := range []int{0, 1, 3, 64} {
				p := testPlan(channels[i].open, ends[0], ends[1], capacity)
				p.chan_ = &channels[i]
				o := measure(p)
				want := verified
				if capacity < channels[i].minCap || channels[i].open == nil {
					want = notHere
				}
				if o.verdict != want {
					t.Errorf("%s %v cap %d: %s: %s", p.chan_.name, ends, capacity,
						o.verdict, o.why)
				}
			}
		}
	}
}

func measured(t *testing.T, words string) *outcome {
	t.Helper()
	p, err := parse(strings.Fields(words))
	if err != nil {
		t.Fatal(err)
	}
	return measure(p)
}

func TestEveryPatternKeepsEveryMessage(t *testing.T) {
	for _, cell := range []string{
		"fan --workers=1", "fan --workers=3", "pipeline --stages=1",
		"pipeline --stages=4", "pipeline --workers=2 --stages=3",
		"select --writers=1", "select --writers=2", "select --writers=4",
		"select --writers=8",
	} {
		for _, capacity := range []string{"0", "1", "64"} {
			o := measured(t, cell+" --items=3000 --reps=2 --cap="+capacity)
			if o.verdict != verified {
				t.Errorf("%s cap %s: %s: %s", cell, capacity, o.verdict, o.why)
			}
		}
	}
}

func TestWhatIsNoChannelIsVerifiedToo(t *testing.T) {
	for _, cell := range []string{
		"semaphore --workers=1 --work=0", "semaphore --workers=4 --permits=2",
		"semaphore --workers=4 --permits=7 --weight=3 --work=0",
		"singleflight --workers=1 --sleep=0", "singleflight --workers=4 --keys=3",
		"singleflight --workers=8 --keys=100 --sleep=0 --work=100",
	} {
		o := measured(t, cell+" --items=3000 --reps=2")
		if o.verdict != verified {
			t.Errorf("%s: %s: %s", cell, o.verdict, o.why)
		}
	}
}

func TestMorePermitsThanThereAreAreNotWaitedFor(t *testing.T) {
	o := measured(t, "semaphore --permits=2 --weight=3")
	if o.verdict != notHere || o.why != "weight=3 with permits=2: allowed 1..2" {
		t.Errorf("%s: %q", o.verdict, o.why)
	}
}

func TestPermitsTooManyAndTooFewAreFound(t *testing.T) {
	p := &permits{Weighted: semaphore.NewWeighted(3), all: 2}
	p.note(3)
	want := "1 permits were held at once beyond those there are; " +
		"1 permit too many at the end"
	if why := p.verify(nil); why != want {
		t.Errorf("%q", why)
	}
	p = &permits{Weighted: semaphore.NewWeighted(2), all: 3}
	if why := p.verify(nil); why != "1 permits are missing at the end" {
		t.Errorf("%q", why)
	}
}

// Three calls of one task, by what does not share as it should.
func wantFindings(t *testing.T, want string, do func(string, func() (any, error)) (any, error, bool)) {
	t.Helper()
	c := &cell{workers: 1, keys: 1}
	if why := flightsOver(do, c, 3)[0]().why; why != want {
		t.Errorf("%q, want %q", why, want)
	}
}

func TestAnAnswerThatIsKeptIsFound(t *testing.T) {
	var kept any
	wantFindings(t, "2 answers were of a flight that had ended before the call",
		func(_ string, fn func() (any, error)) (any, error, bool) {
			if kept == nil {
				kept, _ = fn()
			}
			return kept, nil, true
		})
}

func TestAnAnswerOfAnotherKeyIsFound(t *testing.T) {
	wantFindings(t, "3 answers were another key's",
		func(_ string, fn func() (any, error)) (any, error, bool) {
			got, _ := fn()
			return answer{key: 7, number: got.(answer).number}, nil, false
		})
}

func TestACallThatExecutesTwiceIsFound(t *testing.T) {
	wantFindings(t, "-3 calls were neither executed nor saved",
		func(_ string, fn func() (any, error)) (any, error, bool) {
			fn()
			got, _ := fn()
			return got, nil, false
		})
}

func TestASelectOfACountThatIsNotInTheSourceIsRefused(t *testing.T) {
	o := measured(t, "select --writers=3")
	if o.verdict != notHere || !strings.Contains(o.why, "writers=3, allowed [1 2 4 8]") {
		t.Errorf("%s: %q", o.verdict, o.why)
	}
}

// What stands in a sink's channel is what it has to find fault with.
func given(values ...uint64) chan uint64 {
	ch := make(chan uint64, len(values))
	for _, value := range values {
		ch <- value
	}
	close(ch)
	return ch
}

func TestASinkFindsWhatIsWrongWithItsResults(t *testing.T) {
	for _, c := range []struct {
		name string
		p    part
		why  string
	}{
		{"pipeline", receiveResults(newSeen(3, 1), given(10, 11, 14)), ""},
		{"pipeline", receiveResults(newSeen(3, 1), given(10, 14)), "lost 1 of 3 items"},
		{"pipeline", receiveResults(newSeen(3, 1), given(10, 12, 14)),
			"received 1 corrupt items, never sent; lost 1 of 3 items"},
		{"pipeline", receiveResults(newSeen(3, 1), given(10, 14, 11)),
			"1 of 3 items out of order"},
		{"fan", receiveSigned(newSeen(2, 1), 2, given(valueOf(1, 0), valueOf(2, 1))), ""},
		{"fan", receiveSigned(newSeen(2, 1), 2, given(valueOf(0, 0), valueOf(3, 1))),
			"received 2 corrupt items, never sent; lost 2 of 2 items"},
	} {
		if why := verify([]part{c.p}, true); why != c.why {
			t.Errorf("%s: %q, want %q", c.name, why, c.why)
		}
	}
}

func TestAnItemThatTwoConsumersHaveIsThereTwice(t *testing.T) {
	a, b := newSeen(2, 1), newSeen(2, 1)
	a.count(0)
	a.count(1)
	b.count(1)
	why := reportSeen([]*seen{a, b}, true)
	if len(why) != 1 || why[0] != "delivered 1 of 2 items twice" {
		t.Errorf("%q", why)
	}
}

func TestASelectKnowsWhoseAChannelIs(t *testing.T) {
	r := newReader(&cell{writers: 2}, 2)
	r.came(0, valueOf(0, 0))
	r.came(1, valueOf(0, 1))
	if why := verify([]part{r.part()}, true); !strings.Contains(why, "received 1 corrupt") {
		t.Errorf("%q", why)
	}
}

func TestARoundTripIsWhatWasSent(t *testing.T) {
	for _, capacity := range []int{0, 1, 64} {
		p, err := parse([]string{"ping_pong", "--pairs=3", "--items=500", "--reps=1"})
		if err != nil {
			t.Fatal(err)
		}
		p.cap = capacity
		if o := measure(p); o.verdict != verified {
			t.Errorf("cap %d: %s: %s", capacity, o.verdict, o.why)
		}
	}
}

func TestWhatIsNotAllowedIsNamed(t *testing.T) {
	for arg, why := range map[string]string{
		"--cap=-1":       "--cap=-1: allowed 0..1048576",
		"--payload=64":   "--payload=64: allowed 8",
		"--variant=try":  "--variant=try: allowed bare",
		"--chan=nope":    "there are go, xsync, golang_sync",
		"--sides=1":      "no key 'sides'",
		"--json=1":       "no key 'json'",
		"--cap":          "--cap=VALUE",
		"ping_pong":      "cannot make sense of 'ping_pong'",
		"--producers=0":  "allowed 1..256",
		"--timeout=0":    "allowed 1..86400",
		"--latency=1":    "--latency=1: allowed 0",
		"--producers= 1": "allowed 1..256",
	} {
		_, err := parse([]string{"producer_consumer", arg})
		if err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v, want %q", arg, err, why)
		}
	}
	if _, err := parse(nil); err == nil || !strings.Contains(err.Error(), "ping_pong") {
		t.Errorf("no pattern: %v", err)
	}
}
