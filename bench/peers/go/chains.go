package main

import (
	"math"
	"sync/atomic"
)

// The kernels of several channels in a row or side by side, over Go's own.

// end returns a function that the workers of a stage call at their end; the last
// one closes what they have sent to.
func end(workers int, to chan uint64) func() {
	c := &closer{end: func() { close(to) }}
	c.left.Store(int64(workers))
	return c.done
}

// pipeline: x goes in, x * x + 10 comes out. The first stage squares, the second
// adds 10, further ones pass on; a single stage does both.
func pipeline(c *cell, items uint64) []driver {
	from := make(chan uint64, c.cap)
	first := from
	all := []driver{func() part {
		for x := uint64(0); x < items; x++ {
			first <- x
		}
		close(first)
		return part{}
	}}
	for at := range c.stages {
		to := make(chan uint64, c.cap)
		stage, done, in := stageOf(at, c.stages), end(c.workers, to), from
		for range c.workers {
			all = append(all, func() part {
				stage(in, to, c.work)
				done()
				return part{}
			})
		}
		from = to
	}
	s := newSeen(items, 1)
	last := from
	return append(all, func() part { return receiveResults(s, last) })
}

// stageOf is the loop of a stage: a function of its own for each, so that no call
// stands between receiving and sending.
func stageOf(at, stages int) func(from, to chan uint64, work uint64) {
	switch {
	case stages == 1:
		return func(from, to chan uint64, work uint64) {
			for x := range from {
				workFor(work)
				to <- x*x + 10
			}
		}
	case at == 0:
		return func(from, to chan uint64, work uint64) {
			for x := range from {
				workFor(work)
				to <- x * x
			}
		}
	case at == 1:
		return func(from, to chan uint64, work uint64) {
			for x := range from {
				workFor(work)
				to <- x + 10
			}
		}
	}
	return func(from, to chan uint64, work uint64) {
		for x := range from {
			workFor(work)
			to <- x
		}
	}
}

// rootOf is the x of a result: first the one that is next if all is well, because
// a multiplication is cheaper than a root.
func rootOf(result, guess uint64) (uint64, bool) {
	square := result - 10
	if square == guess*guess {
		return guess, true
	}
	if result < 10 || square >= itemsMax*itemsMax {
		return 0, false
	}
	x := uint64(math.Sqrt(float64(square)))
	return x, x*x == square
}

func receiveResults(s *seen, from chan uint64) part {
	guess, count := uint64(0), uint64(0)
	for result := range from {
		if x, ok := rootOf(result, guess); ok {
			s.count(x)
			guess = x + 1
		} else {
			s.alien++
		}
		count++
	}
	return part{seen: []*seen{s}, shares: []uint64{count}}
}

// fan: items go to the workers through one channel, each worker signs what it has
// worked on, from 1, and what comes back through another is accounted for.
func fan(c *cell, items uint64) []driver {
	jobs, results := make(chan uint64, c.cap), make(chan uint64, c.cap)
	all := []driver{func() part {
		for item := uint64(0); item < items; item++ {
			jobs <- valueOf(0, item)
		}
		close(jobs)
		return part{}
	}}
	done := end(c.workers, results)
	for worker := range c.workers {
		all = append(all, func() part {
			count := uint64(0)
			for value := range jobs {
				workFor(c.work)
				results <- value + valueOf(worker+1, 0)
				count++
			}
			done()
			return part{shares: []uint64{count}}
		})
	}
	s := newSeen(items, 1)
	return append(all, func() part {
		return receiveSigned(s, uint64(c.workers), results)
	})
}

func receiveSigned(s *seen, workers uint64, from chan uint64) part {
	for value := range from {
		if by := whoOf(value) - 1; by < workers {
			s.count(seqOf(value))
		} else {
			s.alien++
		}
	}
	return part{seen: []*seen{s}}
}

// dealMost is how many items a writer takes off the common count at once, at most.
const dealMost = 64

// itemsPerDeal are so few at once that in the end all writers have had enough
// turns.
func itemsPerDeal(items uint64, writers int) uint64 {
	return max(1, min(items/uint64(writers*32), dealMost))
}

// reader is the task that selects: over each channel the items of its writer
// have to come in ascending order.
type reader struct {
	seen   []*seen
	shares []uint64
	work   uint64
}

func newReader(c *cell, items uint64) *reader {
	r := &reader{shares: make([]uint64, c.writers), work: c.work}
	for range c.writers {
		r.seen = append(r.seen, newSeen(items, 1))
	}
	return r
}

func (r *reader) came(which int, value uint64) {
	s := r.seen[which]
	if whoOf(value) == uint64(which) {
		s.count(seqOf(value))
	} else {
		s.alien++
	}
	r.shares[which]++
	workFor(r.work)
}

// met takes what a case of the select has received; at the end of its channel the
// case is switched off. It returns how many are left.
func (r *reader) met(chans []chan uint64, which int, value uint64, ok bool, left int) int {
	if ok {
		r.came(which, value)
		return left
	}
	chans[which] = nil
	return left - 1
}

func (r *reader) part() part {
	return part{seen: r.seen, shares: r.shares}
}

// selectRecv: several writers, each with a channel of its own, and one reader that
// selects. The writers take the items off a common count.
func selectRecv(c *cell, items uint64) []driver {
	next := new(struct { // on lines of its own
		_ [64]byte
		atomic.Uint64
		_ [64]byte
	})
	deal := itemsPerDeal(items, c.writers)
	chans := make([]chan uint64, c.writers)
	var all []driver
	for w := range chans {
		ch := make(chan uint64, c.cap)
		chans[w] = ch
		all = append(all, func() part {
			for {
				first := next.Add(deal) - deal
				if first >= items {
					close(ch)
					return part{}
				}
				for item := first; item < min(first+deal, items); item++ {
					ch <- valueOf(w, item)
				}
			}
		})
	}
	r := newReader(c, items)
	return append(all, func() part {
		r.read(chans)
		return r.part()
	})
}
