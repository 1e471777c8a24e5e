// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sim

import (
	"fmt"
	"strings"

	"github.com/quorate/quorate/messaging/totem"
)

// coverage counts what a run came across: why nodes gathered and from where,
// what came in which state, which fault struck a node in which state. What never
// happened was not tested.
type coverage struct {
	counts  map[string]uint64
	packets [5][8]uint64 // by state and type
	timers  [5][16]uint64
}

func newCoverage() *coverage { return &coverage{counts: map[string]uint64{}} }

func (c *coverage) add(o *coverage) {
	for k, n := range o.counts {
		c.counts[k] += n
	}
	for s := totem.Operational; s <= totem.Recovery; s++ {
		for i, n := range o.packets[s] {
			c.counts[s.String()+" gets "+packetNames[i]] += n
		}
		for i, n := range o.timers[s] {
			c.counts[s.String()+" gets timer "+totem.TimerID(i).String()] += n
		}
	}
}

// words without the numbers in them.
func class(why string) string {
	for _, p := range []string{"join from", "leave of", "merge detect from", "links to"} {
		if strings.HasPrefix(why, p) {
			return p
		}
	}
	return why
}

func (c *coverage) notice(n *totem.Notice) {
	switch {
	case n.Name == "state_changed" && n.To == "gather":
		c.counts[n.From+" to gather: "+class(n.Why)]++
	case n.Name == "state_changed":
		c.counts[n.From+" to "+n.To]++
	default:
		c.counts["notice "+n.Name]++
	}
}

func (c *coverage) event(s totem.State, ev totem.Event) {
	switch ev := ev.(type) {
	case *totem.Recv:
		if len(ev.Packet) > 1 {
			c.packets[s][ev.Packet[1]&7]++
		}
	case *totem.Timer:
		c.timers[s][ev.ID&15]++
	case *totem.Submit:
		c.packets[s][7]++
	default:
		c.counts[s.String()+" gets "+strings.TrimPrefix(fmt.Sprintf("%T", ev), "*totem.")]++
	}
}

var packetNames = [8]string{"nothing", "token", "mcast", "merge detect", "join", "commit token", "hold cancel", "Submit"}

func (c *coverage) fault(name string, s totem.State) { c.counts["fault "+name+" in "+s.String()]++ }

// demanded lists what a long run must have come across.
func demanded() []string {
	var out []string
	states := []totem.State{totem.Operational, totem.Gather, totem.Commit, totem.Recovery}
	for _, s := range states {
		for _, f := range faultNames {
			out = append(out, "fault "+f+" in "+s.String())
		}
		for _, p := range packetNames[1:7] {
			out = append(out, s.String()+" gets "+p)
		}
		for _, e := range []string{"SuspectDown", "SuspectCleared", "Leave", "Reconfigure", "Submit", "timer pause"} {
			out = append(out, s.String()+" gets "+e)
		}
	}
	return append(out,
		"operational to gather: token lost", "commit to gather: token lost in commit", "recovery to gather: token lost in recovery",
		"operational to gather: join from", "gather to gather: join from", "commit to gather: join from", "recovery to gather: join from",
		"operational to gather: leave of", "gather to gather: leave of", "commit to gather: leave of", "recovery to gather: leave of",
		"operational to gather: merge detect from", "gather to gather: merge detect from",
		"operational to gather: links to", "gather to gather: links to", "commit to gather: links to", "recovery to gather: links to",
		"operational to gather: failed to receive", "gather to gather: consensus timeout expired", "gather to gather: commit token lost",
		"gather to gather: start", "gather to commit", "commit to recovery", "recovery to operational",
		"notice token_retransmitted", "notice process_paused", "notice waiting_for_disk", "notice configuration_changed", "notice membership_formed",
		"operational gets timer hold", "operational gets timer merge", "gather gets timer join", "gather gets timer send_join",
		"gather gets timer consensus", "commit gets timer token_retransmit", "recovery gets timer token_retransmit",
	)
}
