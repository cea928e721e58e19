package main

import (
	"sync"
	"time"
)

// Keeps a CPU busy for about as long as asked, as patterns/kernel/work.c does.

const (
	sampleTurns = 100000
	samples     = 10
)

// turn is a chain in which each step needs the one before.
//
//go:noinline
func turn(turns uint64) uint64 {
	x := turns
	for ; turns > 0; turns-- {
		x = x*6364136223846793005 + 1
	}
	return x
}

// turnsPerUs is that of the fastest of several samples.
var turnsPerUs = sync.OnceValue(func() uint64 {
	best := time.Duration(1<<62 - 1)
	for range samples {
		start := time.Now()
		turn(sampleTurns)
		best = min(best, time.Since(start))
	}
	return max(sampleTurns*1000/uint64(max(best, 1)), 1)
})

func workFor(ns uint64) {
	if ns > 0 {
		turn(ns * turnsPerUs() / 1000)
	}
}
