package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// The words of a verdict, and the exit status that goes with each.
const (
	verified = "VERIFIED"
	notHere  = "N/A"
	failed   = "FAILED"
	hung     = "HUNG"
)

var exitStatus = map[string]int{verified: 0, notHere: 2, failed: 1, hung: 1}

const (
	itemsAtLeast = 2000
	itemsAtMost  = 1 << 25

	// How long a run may take beyond what was asked of it, and before one has
	// shown how long a message takes.
	limitBase   = 30 * time.Second
	messageNs   = 25000
	limitFactor = 4
)

type sample struct {
	run
	messages uint64
}

func (s *sample) nsPerMessage() float64 {
	return float64(s.ns) / float64(s.messages)
}

// outcome is what the measurement of one cell found.
type outcome struct {
	verdict, why string
	items        uint64
	cpus         int
	samples      []sample
}

type measurement struct {
	*plan
	out        outcome
	perMessage int64 // ns, once that is known
}

func (m *measurement) limit(items uint64) time.Duration {
	if m.timeout > 0 {
		return m.timeout
	}
	each := m.perMessage
	if each == 0 {
		turns := (m.tasks() + m.out.cpus - 1) / m.out.cpus
		each = messageNs + int64(m.work+m.prodWork)*int64(turns) + int64(m.sleep)
	}
	return limitBase + limitFactor*max(time.Duration(int64(items)*each), m.time)
}

func verify(parts []part, inOrder bool) string {
	var why []string
	var all []*seen
	for i := range parts {
		if parts[i].why != "" {
			why = append(why, parts[i].why)
		}
		all = append(all, parts[i].seen...)
		parts[i].seen = nil
	}
	return strings.Join(append(why, reportSeen(all, inOrder)...), "; ")
}

// run is one run, and whether it passed.
func (m *measurement) run(items uint64) (*sample, bool) {
	m.out.items = items
	drivers := m.pattern.drivers(&m.cell, items)
	runtime.GC() // what the last run has left is not this one's
	r, verdict, why := drive(drivers, m.limit(items))
	if r != nil {
		if why = verify(r.parts, m.inOrder()); why != "" {
			verdict = failed
		}
	}
	m.out.verdict, m.out.why = verdict, why
	if verdict != verified {
		return nil, false
	}
	m.perMessage = max(r.ns/int64(items), 1)
	return &sample{*r, items}, true
}

func clamp(x float64, low, high uint64) uint64 {
	if x <= float64(low) {
		return low
	}
	return uint64(min(x, float64(high)))
}

// calibrate finds how many messages take m.time: the runs grow until one lasts
// half as long, and only what a second run bears out is believed.
func (m *measurement) calibrate() (uint64, bool) {
	wanted := float64(m.time.Nanoseconds())
	items, before := uint64(itemsAtLeast), 0.0
	for {
		s, ok := m.run(items)
		if !ok {
			return 0, false
		}
		ns := float64(s.ns)
		isLong := ns >= wanted/2 || items == itemsAtMost
		if isLong && before > 0 {
			return clamp(float64(items)*wanted/min(ns, before), itemsAtLeast,
				itemsAtMost), true
		}
		before = 0
		if isLong {
			before = ns
		} else {
			items = clamp(float64(items)*max(2, min(wanted/ns, 16)), items,
				itemsAtMost)
		}
	}
}

// input is what turns are asked for by.
var input = bufio.NewReader(os.Stdin)

// waitForTurn says that it is ready, and waits for a line; it tells whether that asks
// for a repetition. At the end of the input there is no more to wait for.
func waitForTurn() bool {
	fmt.Println("ready")
	line, _ := input.ReadString('\n')
	return line != "end\n"
}

// another tells whether a repetition comes after so many, in its turn if there are
// turns. The first is made in any case.
func (p *plan) another(done int) bool {
	wanted := !p.turns || waitForTurn() || done == 0
	return wanted && done < p.reps
}

// measure runs as many messages as fill the time, as often as asked. Every run
// is checked.
func measure(p *plan) *outcome {
	m := &measurement{plan: p, out: outcome{verdict: verified, items: p.items,
		cpus: runtime.GOMAXPROCS(0)}}
	if why := p.impossible(); why != "" {
		m.out.verdict, m.out.why = notHere, why
		return &m.out
	}
	if p.work+p.prodWork > 0 {
		turnsPerUs()
	}
	items, ok := p.items, true
	if items == 0 {
		items, ok = m.calibrate()
	}
	for i := 0; ok && m.another(i); i++ {
		var s *sample
		if s, ok = m.run(items); ok {
			m.out.samples = append(m.out.samples, *s)
		}
	}
	return &m.out
}

// fairness is Jain's index and the least share of what is to be even.
func fairness(s *sample) (jain, least float64) {
	n, sum, squares, smallest := 0.0, 0.0, 0.0, 0.0
	for i := range s.parts {
		for _, share := range s.parts[i].shares {
			x := float64(share)
			if n == 0 || x < smallest {
				smallest = x
			}
			n, sum, squares = n+1, sum+x, squares+x*x
		}
	}
	if sum == 0 {
		return 1, 1
	}
	return sum * sum / (n * squares), smallest * n / sum
}
