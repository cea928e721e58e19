// peer_go: the channels of Go under the kernels of weft.
//
//	peer_go run PATTERN --chan=NAME [--KEY=VALUE ...] [--json]
//	peer_go list peers [--json]
//
// reads what `weft run` reads and prints what it prints.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

const (
	badInput = 2
	usageFor = "usage: peer_go run PATTERN --chan=NAME [--KEY=VALUE ...] [--reps=N] " +
		"[--time=MS] [--timeout=S] [--seed=N] [--turns] [--json] | peer_go list peers [--json]"
)

func complain(format string, args ...any) int {
	fmt.Fprintf(os.Stderr, "peer_go: "+format+"\n", args...)
	return badInput
}

// say prints; output that could not be written is not success.
func say(what string, status int) int {
	if _, err := fmt.Println(what); err != nil {
		return complain("cannot write the standard output: %v", err)
	}
	return status
}

func sayJSON(what any, status int) int {
	out, err := json.Marshal(what)
	if err != nil {
		return complain("no JSON: %v", err)
	}
	return say(string(out), status)
}

func runCell(args []string) int {
	p, err := parse(args)
	if err != nil {
		return complain("%v", err)
	}
	o := measure(p)
	if p.json {
		return sayJSON(o.json(p), exitStatus[o.verdict])
	}
	return say(o.text(p), exitStatus[o.verdict])
}

func list(args []string) int {
	switch what := strings.Join(args, " "); what {
	case "peers":
		lines := make([]string, len(channels))
		for i := range channels {
			lines[i] = channels[i].text()
		}
		return say(strings.Join(lines, "\n"), 0)
	case "peers --json":
		all := make([]fields, len(channels))
		for i := range channels {
			all[i] = channels[i].json()
		}
		return sayJSON(all, 0)
	default:
		return complain("list %s: allowed peers, peers --json", what)
	}
}

func dispatch(args []string) int {
	if len(args) == 0 {
		return complain("%s", usageFor)
	}
	switch args[0] {
	case "run":
		return runCell(args[1:])
	case "list":
		return list(args[1:])
	case "--help":
		return say(usageFor, 0)
	}
	return complain("'%s': allowed run, list, --help", args[0])
}

func main() {
	os.Exit(dispatch(os.Args[1:]))
}
