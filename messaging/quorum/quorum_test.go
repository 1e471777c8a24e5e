// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package quorum

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"pgregory.net/rapid"

	"github.com/quorate/quorate/messaging"
)

// A bench holds the cores of all nodes; "view" gives each member of a partition
// the same membership with what the members say at that moment.
type bench struct{ cores map[messaging.NodeID]*Core }

func (b *bench) view(ids []messaging.NodeID) map[messaging.NodeID][]Action {
	infos := map[messaging.NodeID]Info{}
	for _, id := range ids {
		infos[id] = b.cores[id].Info()
	}
	out := map[messaging.NodeID][]Action{}
	for _, id := range ids {
		out[id] = b.cores[id].Synced(ids, infos)
	}
	return out
}

// TestVotequorum runs scripts: "init N [flag…] [expected=…] [votes=…]" makes
// nodes 1…N, each then alone; "view 1 2 …" makes a partition; "expired N",
// "expect V 1 2 …", "left N at 1 2 …", "restart N".
func TestVotequorum(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, file string) {
		b := &bench{cores: map[messaging.NodeID]*Core{}}
		var mk func(id messaging.NodeID) *Core
		datadriven.RunTest(t, file, func(t *testing.T, d *datadriven.TestData) string {
			var s strings.Builder
			if d.Cmd == "init" {
				cfg, n := parseInit(t, d)
				mk = func(id messaging.NodeID) *Core {
					c := cfg
					c.Self = id
					core, err := New(c)
					if err != nil {
						t.Fatal(err)
					}
					return core
				}
				for id := messaging.NodeID(1); id <= messaging.NodeID(n); id++ {
					b.cores[id] = mk(id)
				}
				return ""
			}
			for line := range strings.Lines(d.Input) {
				runStep(t, &s, b, mk, strings.Fields(line))
			}
			return s.String()
		})
	})
}

func parseInit(t *testing.T, d *datadriven.TestData) (Config, int) {
	cfg, n := Config{Self: 1, Votes: 1}, 0
	for i, a := range d.CmdArgs {
		switch {
		case i == 0:
			_, _ = fmt.Sscan(a.Key, &n)
			cfg.ExpectedVotes = uint32(n)
		case a.Key == "expected":
			_, _ = fmt.Sscan(a.Vals[0], &cfg.ExpectedVotes)
		case a.Key == "two_node":
			cfg.TwoNode, cfg.WaitForAll = true, true
		case a.Key == "wfa":
			cfg.WaitForAll = true
		case a.Key == "nowfa":
			cfg.WaitForAll = false
		case a.Key == "atb":
			cfg.AutoTieBreaker = true
			for _, v := range a.Vals {
				var id messaging.NodeID
				_, _ = fmt.Sscan(v, &id)
				cfg.TieBreakers = append(cfg.TieBreakers, id)
			}
		case a.Key == "lms":
			cfg.LastManStanding = true
		case a.Key == "downscale":
			cfg.AllowDownscale = true
		default:
			t.Fatalf("unknown option %s", a.Key)
		}
	}
	cfg, notes := cfg.Normalize()
	for _, n := range notes {
		t.Log(n)
	}
	return cfg, n
}

func runStep(t *testing.T, s *strings.Builder, b *bench, mk func(messaging.NodeID) *Core, f []string) {
	var nums []messaging.NodeID
	for _, w := range f[1:] {
		var n messaging.NodeID
		if _, err := fmt.Sscan(w, &n); err == nil {
			nums = append(nums, n)
		}
	}
	show := func(ids []messaging.NodeID, acts map[messaging.NodeID][]Action) {
		for _, id := range ids {
			r := b.cores[id].Result()
			fmt.Fprintf(s, "%d: quorate=%v expected=%d highest=%d total=%d quorum=%d flags=%v", id, r.Quorate, r.ExpectedVotes, r.Highest, r.TotalVotes, r.Quorum, r.Flags)
			for _, a := range acts[id] {
				fmt.Fprintf(s, " %s", strings.TrimPrefix(fmt.Sprintf("%T%v", a, a), "*quorum."))
			}
			s.WriteString("\n")
		}
	}
	switch f[0] {
	case "view":
		show(nums, b.view(nums))
	case "restart":
		b.cores[nums[0]] = mk(nums[0])
	case "expired":
		for _, id := range nums {
			show([]messaging.NodeID{id}, map[messaging.NodeID][]Action{id: b.cores[id].WindowExpired()})
		}
	case "left":
		for _, id := range nums[1:] {
			show([]messaging.NodeID{id}, map[messaging.NodeID][]Action{id: b.cores[id].Left(nums[:1])})
		}
	case "expect":
		v := uint32(nums[0])
		if err := b.cores[nums[1]].CheckExpected(v); err != nil {
			fmt.Fprintln(s, err)
			return
		}
		for _, id := range nums[1:] {
			show([]messaging.NodeID{id}, map[messaging.NodeID][]Action{id: b.cores[id].SetExpected(v)})
		}
	default:
		t.Fatalf("unknown step %v", f)
	}
}

// TestNoTwoDisjointPartitionsAreQuorate: whatever the partitions do, with plain
// majority (and with wait_for_all) two disjoint ones never have quorum at once,
// and all members of one agree.
func TestNoTwoDisjointPartitionsAreQuorate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 7).Draw(t, "nodes")
		wfa := rapid.Bool().Draw(t, "wait_for_all")
		atb := rapid.Bool().Draw(t, "auto_tie_breaker")
		b := &bench{cores: map[messaging.NodeID]*Core{}}
		mk := func(id messaging.NodeID) *Core {
			cfg, _ := Config{Self: id, Votes: 1, ExpectedVotes: uint32(n), WaitForAll: wfa, AutoTieBreaker: atb}.Normalize()
			c, err := New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		for id := 1; id <= n; id++ {
			b.cores[messaging.NodeID(id)] = mk(messaging.NodeID(id))
		}
		for range rapid.IntRange(1, 20).Draw(t, "steps") {
			parts := map[int][]messaging.NodeID{}
			for id := 1; id <= n; id++ {
				p := rapid.IntRange(0, 2).Draw(t, "side")
				parts[p] = append(parts[p], messaging.NodeID(id))
			}
			quorate := 0
			for p := range 3 {
				ids := parts[p]
				if len(ids) == 0 {
					continue
				}
				slices.Sort(ids)
				b.view(ids)
				q := b.cores[ids[0]].Result().Quorate
				for _, id := range ids[1:] {
					if b.cores[id].Result().Quorate != q {
						t.Fatalf("members of %v disagree", ids)
					}
				}
				if q {
					quorate++
				}
			}
			if quorate > 1 {
				t.Fatalf("%d quorate partitions in %v", quorate, parts)
			}
		}
	})
}

func TestNewRefusesAbsurdVotes(t *testing.T) {
	if _, err := New(Config{Self: 1, Votes: MaxVotes + 1}); err == nil {
		t.Error("accepted")
	}
	c, err := New(Config{Self: 1, Votes: 1, ExpectedVotes: 3})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.CheckExpected(0); !errors.Is(err, ErrVotes) {
		t.Errorf("expected votes 0: %v", err)
	}
}
