package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/sync/singleflight"
)

// Semaphores and single flight of golang.org/x/sync. They are no channels: an item
// is an acquire, or a call. What is checked in every run is what the kernels of weft
// check (patterns/semaphore/kernel.c, patterns/singleflight/kernel.c).

// findings are what has gone wrong, by its name; those of none are left out.
func findings(of ...any) string {
	var why []string
	for i := 0; i+1 < len(of); i += 2 {
		if n := of[i].(int64); n != 0 {
			why = append(why, fmt.Sprintf("%d %s", n, of[i+1]))
		}
	}
	return strings.Join(why, "; ")
}

// crew are workers that share a run; the last one to end looks at all of it.
type crew[W any] struct {
	workers []*W
	left    atomic.Int64
}

// drivers runs go_ as each worker, which says how many of its items are done.
func (c *crew[W]) drivers(go_ func(*W) uint64, verify func([]*W) string) []driver {
	c.left.Store(int64(len(c.workers)))
	all := make([]driver, len(c.workers))
	for i, w := range c.workers {
		all[i] = func() part {
			p := part{shares: []uint64{go_(w)}}
			if c.left.Add(-1) == 0 {
				p.why = verify(c.workers)
			}
			return p
		}
	}
	return all
}

// permits is the semaphore and how much of it is held.
type permits struct {
	*semaphore.Weighted
	all        int64
	_          [64]byte
	held, most atomic.Int64
}

func (p *permits) note(n int64) {
	held := p.held.Add(n)
	for most := p.most.Load(); held > most && !p.most.CompareAndSwap(most, held); {
		most = p.most.Load()
	}
}

type acquirer struct {
	items, waited uint64
	longest       time.Duration
	failed        int64
	_             [64]byte
}

// acquire gets permits at once or after a wait that is timed.
func (a *acquirer) acquire(p *permits, n int64) {
	if p.TryAcquire(n) {
		return
	}
	since := time.Now()
	if p.Acquire(context.Background(), n) != nil {
		a.failed++
	}
	a.waited++
	a.longest = max(a.longest, time.Since(since))
}

func (p *permits) verify(all []*acquirer) string {
	missing, failed := p.all, int64(0)
	for _, a := range all {
		failed += a.failed
	}
	for missing > 0 && p.TryAcquire(1) {
		missing--
	}
	tooMany := int64(0)
	if missing == 0 && p.TryAcquire(1) {
		tooMany = 1
	}
	return findings(failed, "acquires failed",
		max(p.most.Load()-p.all, 0),
		"permits were held at once beyond those there are",
		tooMany, "permit too many at the end",
		missing, "permits are missing at the end")
}

func semaphores(c *cell, items uint64) []driver {
	p := &permits{Weighted: semaphore.NewWeighted(int64(c.permits)), all: int64(c.permits)}
	all := &crew[acquirer]{}
	for i := range c.workers {
		all.workers = append(all.workers, &acquirer{items: share(items, c.workers, i)})
	}
	n := int64(c.weight)
	return all.drivers(func(a *acquirer) uint64 {
		for range a.items {
			a.acquire(p, n)
			p.note(n)
			workFor(c.work)
			p.note(-n)
			p.Release(n)
		}
		return a.items
	}, p.verify)
}

// answer is made by one execution, of which each has a number of its key's.
type answer struct {
	key    int
	number uint64
}

type flightKey struct {
	name string
	// begun counts executions; ended is the last that is known to have.
	begun, ended atomic.Uint64
	inside       atomic.Int64
	_            [64]byte
}

type flights struct {
	do   func(string, func() (any, error)) (any, error, bool)
	keys []flightKey
	cell *cell
	all  uint64 // items
}

type caller struct {
	f                                           *flights
	fn                                          func() (any, error)
	items, random                               uint64
	key                                         int // of this call
	led                                         bool
	executions, saved, crowded, stale, foreign_ int64
	_                                           [64]byte
}

// next draws a key, all of which are alike: SplitMix64, scaled.
func (w *caller) next() int {
	w.random += 0x9e3779b97f4a7c15
	z := w.random
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return int((z ^ z>>31) >> 32 * uint64(len(w.f.keys)) >> 32)
}

func (w *caller) execute() (any, error) {
	k, c := &w.f.keys[w.key], w.f.cell
	number := k.begun.Add(1)
	w.led = true
	w.executions++
	if k.inside.Add(1) > 1 {
		w.crowded++
	}
	workFor(c.work)
	if c.sleep > 0 {
		time.Sleep(c.sleep)
	}
	k.inside.Add(-1)
	return answer{w.key, number}, nil
}

// check says whether an answer is of this key, and of a flight that had not ended
// when `ended` was read, which was before the call.
func (w *caller) check(got any, ended uint64) {
	a, k := got.(answer), &w.f.keys[w.key]
	switch {
	case a.key != w.key:
		w.foreign_++
	case a.number <= ended:
		w.stale++
	}
	for ended < a.number && !k.ended.CompareAndSwap(ended, a.number) {
		ended = k.ended.Load()
	}
	if !w.led {
		w.saved++
	}
}

func (w *caller) call() {
	w.key, w.led = w.next(), false
	k := &w.f.keys[w.key]
	ended := k.ended.Load()
	got, _, _ := w.f.do(k.name, w.fn)
	w.check(got, ended)
}

func (f *flights) verify(all []*caller) string {
	var sum caller
	for _, w := range all {
		sum.executions += w.executions
		sum.saved += w.saved
		sum.crowded += w.crowded
		sum.stale += w.stale
		sum.foreign_ += w.foreign_
	}
	return findings(sum.foreign_, "answers were another key's",
		sum.stale, "answers were of a flight that had ended before the call",
		sum.crowded, "executions of a key began during another",
		int64(f.all)-sum.executions-sum.saved, "calls were neither executed nor saved")
}

// flightsOver runs over that do, which is a group's.
func flightsOver(do func(string, func() (any, error)) (any, error, bool), c *cell,
	items uint64) []driver {
	f := &flights{do: do, keys: make([]flightKey, c.keys), cell: c, all: items}
	for i := range f.keys {
		f.keys[i].name = string(binary.LittleEndian.AppendUint64(nil, uint64(i)))
	}
	all := &crew[caller]{}
	for i := range c.workers {
		w := &caller{f: f, items: share(items, c.workers, i), random: uint64(i)}
		w.fn = w.execute
		all.workers = append(all.workers, w)
	}
	return all.drivers(func(w *caller) uint64 {
		for range w.items {
			w.call()
		}
		return w.items
	}, f.verify)
}

func singleflights(c *cell, items uint64) []driver {
	return flightsOver(new(singleflight.Group).Do, c, items)
}
