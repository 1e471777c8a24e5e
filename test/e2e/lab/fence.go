// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Fence is the power switch of the lab, which the agent fence_lab asks. What
// it did, and when, is the truth that a cluster's own reports are held against.
type Fence struct {
	lab  *Lab
	dir  string // shared with the nodes
	quit chan struct{}
	done chan struct{}

	mu      sync.Mutex
	refuse  bool          // guarded by mu
	delay   time.Duration // guarded by mu
	records []Fencing     // guarded by mu
}

// A Fencing is one request to power a node off and what became of it.
type Fencing struct {
	Node      string
	Asked     time.Time
	Off       time.Time // when the node was off; zero where refused
	Confirmed time.Time // when the agent was told so
	Refused   bool
}

const fencePoll = 10 * time.Millisecond

func newFence(l *Lab) (*Fence, error) {
	f := &Fence{lab: l, dir: filepath.Join(l.dir, "fence"), quit: make(chan struct{}), done: make(chan struct{})}
	nodes := filepath.Join(f.dir, "nodes")
	if err := os.MkdirAll(nodes, 0o755); err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	for i := range l.opt.Nodes {
		if err := os.WriteFile(filepath.Join(nodes, fmt.Sprintf("node%d", i+1)), nil, 0o644); err != nil {
			return nil, fmt.Errorf("lab: %w", err)
		}
	}
	go f.serve()
	return f, nil
}

// Refuse makes the switch refuse what it is asked, or not.
func (f *Fence) Refuse(yes bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refuse = yes
}

// Delay makes the switch confirm only so long after it turned a node off.
func (f *Fence) Delay(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.delay = d
}

// Records lists what was asked of the switch, in order.
func (f *Fence) Records() []Fencing {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.records)
}

func (f *Fence) reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refuse, f.delay, f.records = false, 0, nil
}

func (f *Fence) stop() {
	close(f.quit)
	<-f.done
}

func (f *Fence) serve() {
	defer close(f.done)
	tick := time.NewTicker(fencePoll)
	defer tick.Stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		select {
		case <-f.quit:
			return
		case <-tick.C:
		}
		asks, _ := filepath.Glob(filepath.Join(f.dir, "*.ask"))
		for _, ask := range asks {
			if os.Remove(ask) == nil {
				wg.Go(func() { f.answer(strings.TrimSuffix(ask, ".ask")) })
			}
		}
	}
}

// answer carries a request out, whose name is VERB.NODE.UNIQUE, and leaves the
// answer beside it.
func (f *Fence) answer(request string) {
	asked := time.Now()
	parts := strings.SplitN(filepath.Base(request), ".", 3)
	reply := func(word string) { _ = os.WriteFile(request+"."+word, nil, 0o644) }
	n := f.lab.ByName(parts[1])
	switch {
	case len(parts) < 3 || n == nil:
		reply("no")
	case parts[0] == "status":
		reply(map[bool]string{true: "yes", false: "no"}[n.Running()])
	default:
		f.off(n, asked, reply)
	}
}

func (f *Fence) off(n *Node, asked time.Time, reply func(string)) {
	f.mu.Lock()
	refuse, delay := f.refuse, f.delay
	i := len(f.records)
	f.records = append(f.records, Fencing{Node: n.Name, Asked: asked, Refused: refuse})
	f.mu.Unlock()
	if refuse {
		reply("no")
		return
	}
	n.Kill()
	off := time.Now()
	if delay > 0 {
		select {
		case <-f.quit:
			return
		case <-time.After(delay):
		}
	}
	f.mu.Lock()
	if i < len(f.records) { // else the lab was renewed meanwhile
		f.records[i].Off, f.records[i].Confirmed = off, time.Now()
	}
	f.mu.Unlock()
	reply("yes")
}
