package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
)

// A result as `weft run --json` prints it, and the list of channels as `weft list
// peers --json` does.

const schema = 1

// version is what the library calls itself, and its version: "xsync v4.5.0".
func (c *channel) version() string {
	if c.library == "go" {
		return strings.Replace(runtime.Version(), "go", "go ", 1)
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return c.name
	}
	for _, dep := range info.Deps {
		if dep.Path == c.library {
			return c.name + " " + dep.Version
		}
	}
	return c.name
}

func median(values []float64) *float64 {
	slices.Sort(values)
	n := len(values)
	if n == 0 {
		return nil
	}
	middle := (values[(n-1)/2] + values[n/2]) / 2
	return &middle
}

// middle is a median over the samples of a cell that passed.
func (o *outcome) middle(figure func(*sample) float64) *float64 {
	if o.verdict != verified {
		return nil
	}
	var values []float64
	for i := range o.samples {
		values = append(values, figure(&o.samples[i]))
	}
	return median(values)
}

func (o *outcome) rate() *float64 {
	ns := o.middle((*sample).nsPerMessage)
	if ns == nil {
		return nil
	}
	rate := 1e9 / *ns
	return &rate
}

type fields []struct {
	key   string
	value any
}

// MarshalJSON keeps the order.
func (f fields) MarshalJSON() ([]byte, error) {
	out := []byte("{")
	for i, field := range f {
		if i > 0 {
			out = append(out, ',')
		}
		value, err := json.Marshal(field.value)
		if err != nil {
			return nil, err
		}
		out = fmt.Appendf(out, "%q:%s", field.key, value)
	}
	return append(out, '}'), nil
}

func (p *plan) params(items uint64) fields {
	var f fields
	for _, k := range p.pattern.keys {
		var value any = p.values[k.name]
		if k.word != "" {
			value = k.word
		}
		if k.name == "items" {
			value = items
		}
		f = append(f, fields{{k.name, value}}...)
	}
	return f
}

func (o *outcome) samplesJSON() []fields {
	all := []fields{}
	for i := range o.samples {
		s := &o.samples[i]
		all = append(all, fields{{"ns", s.ns}, {"messages", s.messages},
			{"start_skew_ns", s.skewNs}, {"cpu_seconds", s.cpuSeconds},
			{"voluntary_switches", s.voluntary},
			{"involuntary_switches", s.involuntary}})
	}
	return all
}

func (o *outcome) fairnessJSON(p *plan) any {
	if o.verdict != verified || p.consumers() < 2 {
		return nil
	}
	return fields{
		{"jain", o.middle(func(s *sample) float64 {
			jain, _ := fairness(s)
			return jain
		})},
		{"least_share", o.middle(func(s *sample) float64 {
			_, least := fairness(s)
			return least
		})},
	}
}

func (s *sample) idleP50() float64 {
	most := int64(0)
	for i := range s.parts {
		most = max(most, s.parts[i].idleP50)
	}
	return float64(most)
}

func (o *outcome) figuresJSON(p *plan) fields {
	f := fields{}
	if p.pause > 0 && o.verdict == verified {
		f = append(f, fields{{"idle_p50", fields{
			{"value", o.middle((*sample).idleP50)}, {"unit", "ns"},
			{"help", "from a send to the end of the receive that waited for it"},
		}}}...)
	}
	return f
}

func (o *outcome) json(p *plan) fields {
	return fields{
		{"schema", schema},
		{"pattern", p.pattern.name},
		{"chan", p.chan_.name},
		{"peer", fields{{"library", p.chan_.version()}, {"adapter", p.chan_.adapter}}},
		{"params", p.params(o.items)},
		{"items_searched", p.items == 0},
		{"actual_cap", p.cap},
		{"tasks", p.tasks()},
		{"cpus", o.cpus},
		{"oversubscribed", p.tasks() > o.cpus},
		{"verdict", o.verdict},
		{"why", o.why},
		{"messages_per_second", o.rate()},
		{"ns_per_message", o.middle((*sample).nsPerMessage)},
		{"samples", o.samplesJSON()},
		{"latency_ns", nil},
		{"cpu_seconds", o.middle(func(s *sample) float64 { return s.cpuSeconds })},
		{"voluntary_switches", o.middle(func(s *sample) float64 {
			return float64(s.voluntary)
		})},
		{"involuntary_switches", o.middle(func(s *sample) float64 {
			return float64(s.involuntary)
		})},
		{"peak_rss_bytes", peakRSS()},
		{"fairness", o.fairnessJSON(p)},
		{"figures", o.figuresJSON(p)},
		{"seed", p.seed},
	}
}

func (o *outcome) text(p *plan) string {
	head := fmt.Sprintf("%s over %s: %s", p.pattern.name, p.chan_.name, o.verdict)
	if rate := o.rate(); rate != nil {
		return fmt.Sprintf("%s, %.3f M messages/s (median of %d)", head, *rate/1e6,
			len(o.samples))
	}
	return head + ": " + o.why
}

func (c *channel) json() fields {
	return fields{
		{"name", c.name},
		{"summary", c.summary},
		{"why_not", ""},
		{"tasks", "goroutines"},
		{"selects", slices.Contains(c.patterns, "select")},
		{"max_senders", nil},
		{"max_receivers", nil},
		{"min_cap", c.minCap},
		{"library", c.version()},
		{"adapter", c.adapter},
		{"patterns", c.patterns},
	}
}

func (c *channel) text() string {
	line := fmt.Sprintf("  %-12s %s (%s)", c.name, c.summary, c.version())
	if c.adapter != "" {
		line += fmt.Sprintf("\n  %-12s added: %s", "", c.adapter)
	}
	return line
}
