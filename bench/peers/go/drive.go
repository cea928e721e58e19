package main

import (
	"fmt"
	"sync/atomic"
	"syscall"
	"time"
)

// part is what a goroutine has to say once it has ended.
type part struct {
	seen   []*seen
	shares []uint64 // of the messages: what is to be even
	why    string
	// With a pause before each message: ns that the median one took.
	idleP50 int64
}

type driver func() part

// run is one run that came to its end.
type run struct {
	ns, skewNs             int64
	cpuSeconds             float64
	voluntary, involuntary int64
	parts                  []part
}

type ended struct {
	part       part
	start, end time.Time
	panicked   any
}

func usage() syscall.Rusage {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return u
}

func cpuSeconds(u *syscall.Rusage) float64 {
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

func peakRSS() int64 {
	u := usage()
	return u.Maxrss * 1024
}

// expired counts the limit in pieces, so that a process that was stopped has a
// full piece left.
func expired(done <-chan struct{}, limit time.Duration) bool {
	const pieces = 16
	piece := limit / pieces
	for left := pieces; left > 0; {
		begin := time.Now()
		select {
		case <-done:
			return false
		case <-time.After(piece):
		}
		if time.Since(begin) < 2*piece {
			left--
		}
	}
	return true
}

// drive starts the goroutines, which wait at a gate, and runs the clock from
// when it opens until the last of them has ended. It returns a run, or what
// came instead: a verdict and why.
func drive(drivers []driver, limit time.Duration) (*run, string, string) {
	gate, ready, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	all := make([]ended, len(drivers))
	var came, left atomic.Int64
	for i, d := range drivers {
		go func() {
			defer func() {
				all[i].panicked = recover()
				if left.Add(1) == int64(len(drivers)) {
					close(done)
				}
			}()
			if came.Add(1) == int64(len(drivers)) {
				close(ready)
			}
			<-gate
			start := time.Now()
			p := d()
			all[i] = ended{part: p, start: start, end: time.Now()}
		}()
	}
	<-ready
	before := usage()
	t0 := time.Now()
	close(gate)
	if expired(done, limit) {
		return nil, hung, fmt.Sprintf("%d of %d drivers had not ended after %g s",
			int64(len(drivers))-left.Load(), len(drivers), limit.Seconds())
	}
	after := usage()
	return finish(all, t0, &before, &after)
}

func finish(all []ended, t0 time.Time, before, after *syscall.Rusage) (*run, string, string) {
	r := &run{
		cpuSeconds:  cpuSeconds(after) - cpuSeconds(before),
		voluntary:   after.Nvcsw - before.Nvcsw,
		involuntary: after.Nivcsw - before.Nivcsw,
	}
	for i := range all {
		if all[i].panicked != nil {
			return nil, failed, fmt.Sprintf("driver %d panicked: %v", i, all[i].panicked)
		}
		r.skewNs = max(r.skewNs, all[i].start.Sub(t0).Nanoseconds())
		r.ns = max(r.ns, all[i].end.Sub(t0).Nanoseconds(), 1)
		r.parts = append(r.parts, all[i].part)
	}
	return r, verified, ""
}
