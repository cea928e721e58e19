package main

import (
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/puzpuzpuz/xsync/v4"
)

// The kernels: what each goroutine does with the channel. What is done for a
// message beside sending and receiving it is what the kernels of weft do
// (patterns/*/kernel.c), in the same loop; of producer_consumer, what they do with
// variant=bare.

// source gives a producer its messages.
type source struct {
	me          int
	items, work uint64
	*stamps
}

// stamps are of a producer that sleeps before each message: when that was sent,
// and then how long it took.
type stamps struct {
	pause time.Duration
	begin time.Time
	took  []int64
}

func newStamps(c *cell, items uint64) *stamps {
	if c.pause == 0 {
		return nil
	}
	return &stamps{time.Duration(c.pause), time.Now(), make([]int64, items)}
}

func (s *stamps) now() int64 { return time.Since(s.begin).Nanoseconds() }

// prepare is called before each message, and returns it.
func (s *source) prepare(seq uint64) uint64 {
	workFor(s.work)
	if s.stamps != nil {
		time.Sleep(s.pause)
		s.took[seq] = s.now()
	}
	return valueOf(s.me, seq)
}

// sink takes a consumer's messages.
type sink struct {
	seen
	work, came uint64
	*stamps
}

func (s *sink) take(value uint64) {
	if s.stamps != nil {
		seq := value & (1<<seqBits - 1)
		s.took[seq] = s.now() - s.took[seq]
	}
	s.count(value)
	workFor(s.work)
	s.came++
}

func (s *sink) part() part {
	p := part{seen: []*seen{&s.seen}, shares: []uint64{s.came}}
	if s.stamps != nil {
		slices.Sort(s.took)
		p.idleP50 = s.took[(len(s.took)-1)/2]
	}
	return p
}

// closer is told by each producer that it is done, and calls end for the last.
type closer struct {
	left atomic.Int64
	end  func()
}

func (c *closer) done() {
	if c.left.Add(-1) == 0 {
		c.end()
	}
}

// loops are an implementation's own: all that one producer sends, all that one
// consumer receives, and how the channel is closed.
type loops struct {
	send func(*source)
	recv func(*sink)
	end  func()
}

// chanLoops are those of Go's own channel.
func chanLoops(c *cell) loops {
	ch := make(chan uint64, c.cap)
	return loops{
		send: func(s *source) {
			for seq := uint64(0); seq < s.items; seq++ {
				ch <- s.prepare(seq)
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

// spscLoops and mpmcLoops are those of xsync's queues. They have no close: a flag
// that is set after the last message stands for it. They have no waiting: a
// task that finds no space or item yields.
func spscLoops(c *cell) loops {
	q := xsync.NewSPSCQueue[uint64](c.cap)
	var closed atomic.Bool
	return loops{
		send: func(s *source) {
			for seq := uint64(0); seq < s.items; seq++ {
				for value := s.prepare(seq); !q.TryEnqueue(value); {
					runtime.Gosched()
				}
			}
		},
		recv: func(s *sink) {
			for last := false; ; {
				if value, ok := q.TryDequeue(); ok {
					s.take(value)
				} else if last {
					return
				} else if last = closed.Load(); !last {
					runtime.Gosched()
				}
			}
		},
		end: func() { closed.Store(true) },
	}
}

func mpmcLoops(c *cell) loops {
	q := xsync.NewMPMCQueue[uint64](c.cap)
	var closed atomic.Bool
	return loops{
		send: func(s *source) {
			for seq := uint64(0); seq < s.items; seq++ {
				for value := s.prepare(seq); !q.TryEnqueue(value); {
					runtime.Gosched()
				}
			}
		},
		// A try may also fail because another consumer was faster; that one
		// tries again after it, so the last item is not left.
		recv: func(s *sink) {
			for last := false; ; {
				if value, ok := q.TryDequeue(); ok {
					s.take(value)
				} else if last {
					return
				} else if last = closed.Load(); !last {
					runtime.Gosched()
				}
			}
		},
		end: func() { closed.Store(true) },
	}
}

func producerConsumer(c *cell, items uint64) []driver {
	l := c.chan_.open(c)
	end := &closer{end: l.end}
	end.left.Store(int64(c.producers))
	times := newStamps(c, items)
	var all []driver
	for p := range c.producers {
		s := &source{me: p, items: share(items, c.producers, p), work: c.prodWork, stamps: times}
		all = append(all, func() part {
			l.send(s)
			end.done()
			return part{}
		})
	}
	for range c.receivers {
		s := &sink{seen: *newSeen(items, c.producers), work: c.work, stamps: times}
		all = append(all, func() part {
			l.recv(s)
			return s.part()
		})
	}
	return all
}

// side is what one side of a pair has seen.
type side struct {
	due, came, odd uint64
}

func (s *side) lookAt(value uint64) {
	if value == s.due {
		s.due++
		s.came++
	} else {
		s.odd++
	}
}

func (s *side) why(what string, pair int, items uint64) string {
	if s.odd > 0 {
		return fmt.Sprintf("%d %s out of turn in pair %d", s.odd, what, pair)
	}
	if s.came != items {
		return fmt.Sprintf("%d of %d %s came in pair %d", s.came, items, what, pair)
	}
	return ""
}

// ping_pong over Go's own channel: each request is sent when the reply to the
// one before has come, which is its complement.
func pingPongPair(c *cell, pair int, items uint64) []driver {
	requests, replies := make(chan uint64, c.cap), make(chan uint64, c.cap)
	client := func() part {
		s := side{due: valueOf(pair, 0)}
		for seq := uint64(0); seq < items; seq++ {
			requests <- valueOf(pair, seq)
			s.lookAt(^<-replies)
		}
		close(requests)
		return part{shares: []uint64{s.came}, why: s.why("replies", pair, items)}
	}
	server := func() part {
		s := side{due: valueOf(pair, 0)}
		for value := range requests {
			s.lookAt(value)
			workFor(c.work)
			replies <- ^value
		}
		return part{why: s.why("requests", pair, items)}
	}
	return []driver{client, server}
}

func pingPong(c *cell, items uint64) []driver {
	var all []driver
	for p := range c.pairs {
		all = append(all, pingPongPair(c, p, share(items, c.pairs, p))...)
	}
	return all
}
