package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// channel is what is said of an implementation; a limit of 0 is none.
type channel struct {
	name, library, summary string
	adapter                string // what is added here to what the library has
	minCap                 int
	open                   func(*cell) loops
	patterns               []string
}

var channels = []channel{
	{name: "go", library: "go", summary: "Go's own channel, between goroutines",
		open: chanLoops, patterns: []string{"fan", "ping_pong", "pipeline", "producer_consumer", "select"}},
	{name: "xsync", library: "github.com/puzpuzpuz/xsync/v4",
		summary: "xsync's SPSCQueue or MPMCQueue, between goroutines",
		adapter: "spins only, yielding to other goroutines; close by a flag",
		minCap:  1, open: openXsync,
		patterns: []string{"producer_consumer"}},
	{name: "golang_sync", library: "golang.org/x/sync",
		summary:  "no channel: semaphore and singleflight, between goroutines",
		patterns: []string{"semaphore", "singleflight"}},
}

func openXsync(c *cell) loops {
	if c.producers == 1 && c.receivers == 1 {
		return spscLoops(c)
	}
	return mpmcLoops(c)
}

// key is a knob or an option: a number from..to, or one word.
type key struct {
	name          string
	def, from, to uint64
	word          string
}

const (
	itemsMax = 1 << 26
	capMax   = 1 << 20
	workMax  = 1000000000
)

type pattern struct {
	name    string
	keys    []key
	drivers func(*cell, uint64) []driver
}

// The knobs of each pattern, under the names that they have in weft.
var patterns = []pattern{
	{"fan", []key{
		{name: "variant", word: "shared"},
		{name: "workers", def: 2, from: 1, to: 256},
		{name: "cap", def: 64, from: 0, to: capMax},
		{name: "window", def: 0, from: 0, to: 0},
		{name: "payload", def: 8, from: 8, to: 8},
		{name: "work", def: 0, from: 0, to: workMax},
		{name: "dist", word: "const"},
		{name: "batch", def: 1, from: 1, to: 1},
		{name: "wait", word: "adaptive"},
		{name: "items", def: 0, from: 0, to: itemsMax},
	}, fan},
	{"ping_pong", []key{
		{name: "pairs", def: 1, from: 1, to: 64},
		{name: "cap", def: 0, from: 0, to: capMax},
		{name: "payload", def: 8, from: 8, to: 8},
		{name: "work", def: 0, from: 0, to: workMax},
		{name: "wait", word: "adaptive"},
		{name: "items", def: 0, from: 0, to: itemsMax},
	}, pingPong},
	{"pipeline", []key{
		{name: "variant", word: "parallel"},
		{name: "workers", def: 1, from: 1, to: 64},
		{name: "stages", def: 2, from: 1, to: 60},
		{name: "cap", def: 64, from: 0, to: capMax},
		{name: "payload", def: 8, from: 8, to: 8},
		{name: "work", def: 0, from: 0, to: workMax},
		{name: "slow", def: 1, from: 1, to: 1},
		{name: "batch", def: 1, from: 1, to: 1},
		{name: "tokens", def: 0, from: 0, to: 0},
		{name: "wait", word: "adaptive"},
		{name: "items", def: 0, from: 0, to: itemsMax},
	}, pipeline},
	{"producer_consumer", []key{
		{name: "variant", word: "bare"},
		{name: "producers", def: 1, from: 1, to: 256},
		{name: "consumers", def: 1, from: 1, to: 256},
		{name: "cap", def: 64, from: 0, to: capMax},
		{name: "payload", def: 8, from: 8, to: 8},
		{name: "prod_work", def: 0, from: 0, to: workMax},
		{name: "pause", def: 0, from: 0, to: workMax},
		{name: "work", def: 0, from: 0, to: workMax},
		{name: "batch", def: 1, from: 1, to: 1},
		{name: "wait", word: "adaptive"},
		{name: "items", def: 0, from: 0, to: itemsMax},
	}, producerConsumer},
	{"select", []key{
		{name: "variant", word: "recv"},
		{name: "writers", def: 4, from: 1, to: 64},
		{name: "cap", def: 64, from: 0, to: capMax},
		{name: "payload", def: 8, from: 8, to: 8},
		{name: "work", def: 0, from: 0, to: workMax},
		{name: "wait", word: "adaptive"},
		{name: "items", def: 0, from: 0, to: itemsMax},
	}, selectRecv},
	{"semaphore", []key{
		{name: "variant", word: "weighted"},
		{name: "workers", def: 2, from: 1, to: 256},
		{name: "permits", def: 1, from: 1, to: 65536},
		{name: "weight", def: 1, from: 1, to: 65536},
		{name: "weights", word: "same"},
		{name: "burst", def: 1, from: 1, to: 1},
		{name: "mode", word: "acquire"},
		{name: "items", def: 0, from: 0, to: itemsMax},
		{name: "work", def: 100, from: 0, to: workMax},
		{name: "wait", word: "adaptive"},
	}, semaphores},
	{"singleflight", []key{
		{name: "variant", word: "sharded"},
		{name: "workers", def: 4, from: 1, to: 256},
		{name: "keys", def: 1, from: 1, to: 100000},
		{name: "skew", def: 0, from: 0, to: 0},
		{name: "key", def: 8, from: 8, to: 8},
		{name: "shards", def: 16, from: 1, to: 4096},
		{name: "work", def: 0, from: 0, to: workMax},
		{name: "sleep", def: 20000, from: 0, to: workMax},
		{name: "gather", def: 0, from: 0, to: 0},
		{name: "stats", def: 0, from: 0, to: 0},
		{name: "cap", def: 1, from: 0, to: capMax},
		{name: "items", def: 0, from: 0, to: itemsMax},
		{name: "wait", word: "adaptive"},
	}, singleflights},
}

// What is said about the measurement; without a timeout it is chosen by what is
// asked.
var options = []key{
	{name: "reps", def: 5, from: 1, to: 1000},
	{name: "time", def: 50, from: 1, to: 60000},
	{name: "latency", def: 0, from: 0, to: 0},
	{name: "timeout", def: 0, from: 1, to: 86400},
	{name: "seed", def: 1, from: 0, to: 1<<64 - 1},
}

type cell struct {
	pattern                          *pattern
	chan_                            *channel
	producers, receivers, pairs, cap int
	writers, workers, stages         int
	permits, weight, keys            int
	prodWork, work, pause            uint64
	sleep                            time.Duration
}

// plan is one cell and how to measure it.
type plan struct {
	cell
	values        map[string]uint64
	items, seed   uint64
	reps          int
	time, timeout time.Duration
	json, turns   bool
}

func (c *cell) tasks() int {
	switch c.pattern.name {
	case "fan":
		return c.workers + 2
	case "ping_pong":
		return 2 * c.pairs
	case "pipeline":
		return c.stages*c.workers + 2
	case "select":
		return c.writers + 1
	case "semaphore", "singleflight":
		return c.workers
	}
	return c.producers + c.receivers
}

// consumers says among how many the messages are to be shared evenly.
func (c *cell) consumers() int {
	switch c.pattern.name {
	case "fan", "semaphore", "singleflight":
		return c.workers
	case "ping_pong":
		return c.pairs
	case "pipeline":
		return 1
	case "select":
		return c.writers
	}
	return c.receivers
}

// inOrder says whether messages have to come in the order of their sender.
func (c *cell) inOrder() bool {
	return c.workers <= 1
}

// impossible says why this channel cannot do it, if it cannot.
func (c *cell) impossible() string {
	if c.pattern.name == "select" && !slices.Contains(selectable, c.writers) {
		return fmt.Sprintf("Go's select has its cases in the source: writers=%d, allowed %v",
			c.writers, selectable)
	}
	if c.weight > c.permits {
		return fmt.Sprintf("weight=%d with permits=%d: allowed 1..%d", c.weight,
			c.permits, c.permits)
	}
	if c.pause > 0 && (c.producers > 1 || c.receivers > 1) {
		return fmt.Sprintf("pause=%d is for producers=1 consumers=1", c.pause)
	}
	for _, name := range c.chan_.patterns {
		if name == c.pattern.name && c.cap >= c.chan_.minCap {
			return ""
		}
	}
	if c.cap < c.chan_.minCap {
		return fmt.Sprintf("channel %s has no capacity %d, allowed %d and up",
			c.chan_.name, c.cap, c.chan_.minCap)
	}
	return fmt.Sprintf("channel %s is not here for pattern %s, but for %s",
		c.chan_.name, c.pattern.name, strings.Join(c.chan_.patterns, ", "))
}

func names[T any](all []T, name func(*T) string) string {
	words := make([]string, len(all))
	for i := range all {
		words[i] = name(&all[i])
	}
	return strings.Join(words, ", ")
}

func find[T any](all []T, name func(*T) string, wanted string) *T {
	for i := range all {
		if name(&all[i]) == wanted {
			return &all[i]
		}
	}
	return nil
}

// firstFor is what a pattern runs over when it is not told.
func firstFor(pat *pattern) *channel {
	for i := range channels {
		if slices.Contains(channels[i].patterns, pat.name) {
			return &channels[i]
		}
	}
	return &channels[0]
}

func patternName(p *pattern) string { return p.name }
func channelName(c *channel) string { return c.name }
func keyName(k *key) string         { return k.name }

func (k *key) parse(text string) (uint64, error) {
	if k.word != "" {
		if text == k.word {
			return 0, nil
		}
		return 0, fmt.Errorf("--%s=%s: allowed %s", k.name, text, k.word)
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err == nil && n >= k.from && n <= k.to {
		return n, nil
	}
	if k.from == k.to {
		return 0, fmt.Errorf("--%s=%s: allowed %d", k.name, text, k.from)
	}
	return 0, fmt.Errorf("--%s=%s: allowed %d..%d", k.name, text, k.from, k.to)
}

func (p *plan) set(name, value string) error {
	if name == "chan" {
		p.chan_ = find(channels, channelName, value)
		if p.chan_ == nil {
			return fmt.Errorf("--chan=%s: no such channel here; there are %s", value,
				names(channels, channelName))
		}
		return nil
	}
	k := find(p.pattern.keys, keyName, name)
	if k == nil {
		k = find(options, keyName, name)
	}
	if k == nil {
		return fmt.Errorf("%s has no key '%s' here; it has chan, json, turns, %s, %s",
			p.pattern.name, name, names(p.pattern.keys, keyName), names(options, keyName))
	}
	n, err := k.parse(value)
	p.values[name] = n
	return err
}

func findPattern(args []string) (*pattern, error) {
	var found *pattern
	for _, arg := range args {
		if strings.HasPrefix(arg, "--") {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("cannot make sense of '%s'", arg)
		}
		found = find(patterns, patternName, arg)
		if found == nil {
			return nil, fmt.Errorf("no pattern '%s' here; there are %s", arg,
				names(patterns, patternName))
		}
	}
	if found == nil {
		return nil, fmt.Errorf("run needs a pattern; there are %s",
			names(patterns, patternName))
	}
	return found, nil
}

// parse reads the arguments after `run`, in the words of `weft run`.
func parse(args []string) (*plan, error) {
	pat, err := findPattern(args)
	if err != nil {
		return nil, err
	}
	p := &plan{cell: cell{pattern: pat, chan_: firstFor(pat)}, values: map[string]uint64{}}
	for _, k := range append(append([]key{}, pat.keys...), options...) {
		p.values[k.name] = k.def
	}
	for _, arg := range args {
		word, isOption := strings.CutPrefix(arg, "--")
		name, value, hasValue := strings.Cut(word, "=")
		switch {
		case !isOption:
		case arg == "--json":
			p.json = true
		case arg == "--turns":
			p.turns = true
		case !hasValue:
			return nil, fmt.Errorf("%s: give it a value, %s=VALUE", arg, arg)
		default:
			if err := p.set(name, value); err != nil {
				return nil, err
			}
		}
	}
	p.take()
	return p, nil
}

func (p *plan) take() {
	v := p.values
	p.producers, p.receivers = int(v["producers"]), int(v["consumers"])
	p.writers, p.workers, p.stages = int(v["writers"]), int(v["workers"]), int(v["stages"])
	p.pairs, p.cap = int(v["pairs"]), int(v["cap"])
	p.permits, p.weight, p.keys = int(v["permits"]), int(v["weight"]), int(v["keys"])
	p.sleep = time.Duration(v["sleep"])
	p.prodWork, p.work, p.pause = v["prod_work"], v["work"], v["pause"]
	p.items, p.seed, p.reps = v["items"], v["seed"], int(v["reps"])
	p.time = time.Duration(v["time"]) * time.Millisecond
	p.timeout = time.Duration(v["timeout"]) * time.Second
}
