// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package lab

import (
	"bufio"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// WitnessPeriod is how often a witness looks.
const WitnessPeriod = 50 * time.Millisecond

// A Thing is what at most one node may hold at a time.
type Thing struct {
	Name string
	held func(*Node) bool
}

// FloatingAddress is an address that a node has on any interface.
func FloatingAddress(a netip.Addr) Thing {
	return Thing{"address " + a.String(), func(n *Node) bool { return n.hasAddress(a) }}
}

// MountedOn is a file system that a node has mounted on a folder.
func MountedOn(dir string) Thing {
	return Thing{"mount " + dir, func(n *Node) bool { return n.hasMount(dir) }}
}

// ListeningOn is a TCP port that a node listens on, on every address.
func ListeningOn(port uint16) Thing {
	return Thing{"port " + strconv.Itoa(int(port)), func(n *Node) bool { return n.listens(port) }}
}

// A Sighting is an interval in which the same nodes held a thing.
type Sighting struct {
	Thing    string
	From, To time.Time // the first and the last look
	Holders  []string  // by name, in order
}

// String tells the interval in words.
func (s Sighting) String() string {
	who := "nobody"
	if len(s.Holders) > 0 {
		who = strings.Join(s.Holders, "+")
	}
	return fmt.Sprintf("%s %s %s for %v", s.From.Format("15:04:05.000"), s.Thing, who, s.To.Sub(s.From).Round(time.Millisecond))
}

// A Witness looks into every node that is on and keeps what it saw.
type Witness struct {
	lab    *Lab
	things []Thing
	quit   chan struct{}
	done   chan struct{}

	mu   sync.Mutex
	seen [][]Sighting  // by thing; guarded by mu
	gap  time.Duration // the longest time between two looks; guarded by mu
}

// Watch starts a witness.
func (l *Lab) Watch(things ...Thing) *Witness {
	w := &Witness{lab: l, things: things, quit: make(chan struct{}), done: make(chan struct{}), seen: make([][]Sighting, len(things))}
	go w.run()
	return w
}

// Stop ends the witness; what it saw stays.
func (w *Witness) Stop() {
	select {
	case <-w.quit:
	default:
		close(w.quit)
	}
	<-w.done
}

func (w *Witness) run() {
	defer close(w.done)
	tick := time.NewTicker(WitnessPeriod)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-w.quit:
			return
		case <-tick.C:
		}
		now := time.Now()
		for i, t := range w.things {
			w.note(i, t)
		}
		w.mu.Lock()
		w.gap = max(w.gap, now.Sub(last))
		w.mu.Unlock()
		last = now
	}
}

// note looks for one thing on all nodes, as nearly at once as can be.
func (w *Witness) note(i int, t Thing) {
	now := time.Now()
	var holders []string
	for _, n := range w.lab.nodes {
		if n.Running() && t.held(n) && n.Running() {
			holders = append(holders, n.Name)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := w.seen[i]; len(s) > 0 {
		latest := &s[len(s)-1]
		latest.To = now
		if slices.Equal(latest.Holders, holders) {
			return
		}
	}
	w.seen[i] = append(w.seen[i], Sighting{Thing: t.Name, From: now, To: now, Holders: holders})
}

// Timeline lists what was seen, in order of time.
func (w *Witness) Timeline() []Sighting {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []Sighting
	for _, s := range w.seen {
		all = append(all, s...)
	}
	slices.SortStableFunc(all, func(a, b Sighting) int { return a.From.Compare(b.From) })
	return all
}

// Doubles lists the intervals in which a thing had more than one holder.
func (w *Witness) Doubles() []Sighting {
	return slices.DeleteFunc(w.Timeline(), func(s Sighting) bool { return len(s.Holders) < 2 })
}

// Gap is the longest time that the witness did not look, which tells how far
// its silence can be trusted.
func (w *Witness) Gap() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.gap
}

// Holders returns who held the thing at the latest look.
func (w *Witness) Holders(thing Thing) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, t := range w.things {
		if s := w.seen[i]; t.Name == thing.Name && len(s) > 0 {
			return s[len(s)-1].Holders
		}
	}
	return nil
}

// FirstHeld returns when, after a time, the thing was first seen on a node
// ("" is any); zero if it was not.
func (w *Witness) FirstHeld(thing Thing, node string, after time.Time) time.Time {
	for _, s := range w.Timeline() {
		if s.Thing != thing.Name || s.To.Before(after) || len(s.Holders) == 0 {
			continue
		}
		if node == "" || slices.Contains(s.Holders, node) {
			if s.From.Before(after) {
				return after
			}
			return s.From
		}
	}
	return time.Time{}
}

// hasAddress reads the kernel's tables of local addresses, which takes no lock
// that a network change elsewhere could hold.
func (n *Node) hasAddress(a netip.Addr) bool {
	if a.Is6() {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/net/if_inet6", n.pid()))
		return strings.Contains(string(text), fmt.Sprintf("%x ", a.As16()))
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/fib_trie", n.pid()))
	if err != nil {
		return false // it is off
	}
	leaf := false // within the entry of the address
	for line := range strings.Lines(string(text)) {
		if _, entry, ok := strings.Cut(line, "|-- "); ok {
			leaf = strings.TrimSpace(entry) == a.String()
		} else if leaf && strings.Contains(line, "/32 host LOCAL") {
			return true
		}
	}
	return false
}

func (n *Node) hasMount(dir string) bool {
	f, err := os.Open(fmt.Sprintf("/proc/%d/mountinfo", n.pid()))
	if err != nil {
		return false
	}
	defer f.Close()
	for sc := bufio.NewScanner(f); sc.Scan(); {
		if fields := strings.Fields(sc.Text()); len(fields) > 4 && fields[4] == dir {
			return true
		}
	}
	return false
}

// listens looks for a socket that listens (state 0A) on every address in the
// kernel's tables.
func (n *Node) listens(port uint16) bool {
	for table, any := range map[string]string{"tcp": "00000000", "tcp6": strings.Repeat("0", 32)} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", n.pid(), table))
		if err != nil {
			return false
		}
		want := fmt.Sprintf("%s:%04X", any, port)
		for line := range strings.Lines(string(text)) {
			if f := strings.Fields(line); len(f) > 3 && f[1] == want && f[3] == "0A" {
				return true
			}
		}
	}
	return false
}
