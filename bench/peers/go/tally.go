package main

import (
	"fmt"
	"math/bits"
)

// A message is the sender's number, in the upper bits, and the number of the
// item among the sender's own, in the lower.
const (
	seqBits   = 32
	pageWords = 512
)

func valueOf(who int, seq uint64) uint64 {
	return uint64(who)<<seqBits | seq
}

// share says how many of items fall to part of parts.
func share(items uint64, parts, part int) uint64 {
	n := items / uint64(parts)
	if uint64(part) < items%uint64(parts) {
		n++
	}
	return n
}

// lane is one producer, as one consumer sees it.
type lane struct {
	first uint64 // bit of its item 0
	items uint64
	next  uint64 // above all seen of it
}

// seen is what one consumer has seen; its goroutine's alone. Did every item
// arrive exactly once, and each producer's items in their order? Counted as
// patterns/kernel/tally.h does, at the same cost: privately, in memory that has
// been touched before.
type seen struct {
	lanes              []lane
	bits               []uint64
	items              uint64
	again, late, alien uint64
	_                  [64]byte
}

func newSeen(items uint64, producers int) *seen {
	s := &seen{items: items}
	first := uint64(0)
	for p := 0; p < producers; p++ {
		n := share(items, producers, p)
		s.lanes = append(s.lanes, lane{first: first, items: n})
		first += n
	}
	s.bits = make([]uint64, (items+63)/64)
	for page := 0; page < len(s.bits); page += pageWords {
		s.bits[page] = 0
	}
	return s
}

func whoOf(value uint64) uint64 { return value >> seqBits }
func seqOf(value uint64) uint64 { return value & (1<<seqBits - 1) }

func (s *seen) count(value uint64) {
	who, seq := whoOf(value), seqOf(value)
	// What is not below next has not been seen: no need to look.
	if who < uint64(len(s.lanes)) {
		l := &s.lanes[who]
		if seq < l.items && seq >= l.next {
			id := l.first + seq
			l.next = seq + 1
			s.bits[id/64] |= 1 << (id % 64)
			return
		}
	}
	s.countOdd(who, seq)
}

//go:noinline
func (s *seen) countOdd(who, seq uint64) {
	if who >= uint64(len(s.lanes)) || seq >= s.lanes[who].items {
		s.alien++
		return
	}
	id := s.lanes[who].first + seq
	// A repeat is out of order as well, but that says nothing more.
	if s.bits[id/64]>>(id%64)&1 == 1 {
		s.again++
	} else {
		s.late++
	}
	s.bits[id/64] |= 1 << (id % 64)
}

// reportSeen says what is wrong with all consumers' counts together; nothing if
// nothing is. Items out of order are wrong only where an order is promised. The
// cause stands before its consequences.
func reportSeen(all []*seen, inOrder bool) []string {
	if len(all) == 0 {
		return nil
	}
	var again, late, alien, found uint64
	for _, s := range all {
		again, late, alien = again+s.again, late+s.late, alien+s.alien
	}
	for word := range all[0].bits {
		laid := uint64(0)
		for _, s := range all {
			again += uint64(bits.OnesCount64(laid & s.bits[word]))
			laid |= s.bits[word]
		}
		found += uint64(bits.OnesCount64(laid))
	}
	items, why := all[0].items, []string(nil)
	if alien > 0 {
		why = append(why, fmt.Sprintf("received %d corrupt items, never sent", alien))
	}
	if again > 0 {
		why = append(why, fmt.Sprintf("delivered %d of %d items twice", again, items))
	}
	if found < items {
		why = append(why, fmt.Sprintf("lost %d of %d items", items-found, items))
	}
	if inOrder && late > 0 {
		why = append(why, fmt.Sprintf("%d of %d items out of order", late, items))
	}
	return why
}
