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
type bench struct {
	cores map[messaging.NodeID]*Core
	views map[messaging.NodeID][]messaging.NodeID // the partition of each node
	rings map[messaging.NodeID]uint64             // the last ring of each node, which it keeps over restarts
}

func newBench() *bench {
	return &bench{cores: map[messaging.NodeID]*Core{}, views: map[messaging.NodeID][]messaging.NodeID{}, rings: map[messaging.NodeID]uint64{}}
}

func (b *bench) view(ids []messaging.NodeID) map[messaging.NodeID][]Action {
	infos, seq := map[messaging.NodeID]Info{}, uint64(0)
	for _, id := range ids {
		infos[id] = b.cores[id].Info()
		seq = max(seq, b.rings[id]+4)
	}
	out := map[messaging.NodeID][]Action{}
	for _, id := range ids {
		b.views[id], b.rings[id] = ids, seq
		out[id] = b.cores[id].Synced(seq, ids, infos)
	}
	return out
}

// told carries out Tell: all members of the partition take the node's info.
func (b *bench) told(id messaging.NodeID, as []Action) []Action {
	for _, a := range as {
		if _, ok := a.(*Tell); ok {
			in := b.cores[id].Info()
			for _, m := range b.views[id] {
				as = append(as, b.cores[m].Update(id, in)...)
			}
		}
	}
	return as
}

// TestVotequorum runs scripts: "init N [option…]" makes nodes 1…N, each then
// alone. Steps: "view 1 2 …" makes a partition; "restart N…"; "expired 1 2 …"
// orders the end of last_man_standing's window, "left N at 1 2 …" a clean leave,
// "expect V at 1 2 …" and "votes V of N at 1 2 …" what administrators ask for,
// "cancel at 1 2 …" of wait_for_all, "reload at 1 2 …" of the same file; "poll N yes|no", "lost N", "unregister N"
// are the device's.
func TestVotequorum(t *testing.T) {
	datadriven.Walk(t, "testdata/votequorum", func(t *testing.T, file string) {
		b := newBench()
		var cfg Config
		mk := func(id messaging.NodeID) {
			c := cfg
			c.Self = id
			core, err := New(c)
			if err != nil {
				t.Fatal(err)
			}
			b.cores[id], b.views[id] = core, []messaging.NodeID{id}
		}
		datadriven.RunTest(t, file, func(t *testing.T, d *datadriven.TestData) string {
			var s strings.Builder
			if d.Cmd == "init" {
				var n int
				var notes []string
				cfg, n, notes = parseInit(t, d)
				for id := range n {
					mk(messaging.NodeID(id + 1))
				}
				for _, note := range notes {
					fmt.Fprintln(&s, note)
				}
				return s.String()
			}
			for line := range strings.Lines(d.Input) {
				if f := strings.Fields(line); f[0] == "restart" {
					mk(ids(f[1:])[0])
				} else {
					runStep(t, &s, b, cfg, f)
				}
			}
			return s.String()
		})
	})
}

func parseInit(t *testing.T, d *datadriven.TestData) (Config, int, []string) {
	cfg, n := Config{Self: 1, Votes: 1}, 0
	number := func(a datadriven.CmdArg) (v uint32) {
		_, _ = fmt.Sscan(a.Vals[0], &v)
		return v
	}
	for i, a := range d.CmdArgs {
		switch {
		case i == 0:
			_, _ = fmt.Sscan(a.Key, &n)
			cfg.ExpectedVotes = uint32(n)
		case a.Key == "expected":
			cfg.ExpectedVotes = number(a)
		case a.Key == "votes":
			cfg.Votes = number(a)
		case a.Key == "two_node":
			cfg.TwoNode, cfg.WaitForAll = true, true
		case a.Key == "wfa":
			cfg.WaitForAll = true
		case a.Key == "nowfa":
			cfg.WaitForAll = false
		case a.Key == "atb":
			cfg.AutoTieBreaker, cfg.TieBreakers = true, ids(a.Vals)
		case a.Key == "atb_highest":
			cfg.AutoTieBreaker, cfg.TieHighest = true, true
		case a.Key == "lms":
			cfg.LastManStanding = true
		case a.Key == "downscale":
			cfg.AllowDownscale = true
		case a.Key == "tracked":
			cfg.Tracking, cfg.Tracked = true, number(a)
		case a.Key == "device":
			cfg.Device = Device{Name: "Qdevice", Votes: number(a)}
			cfg.ExpectedVotes += cfg.Device.Votes
		case a.Key == "master_wins":
			cfg.Device.MasterWins = true
		default:
			t.Fatalf("unknown option %s", a.Key)
		}
	}
	cfg, notes := cfg.Normalize()
	return cfg, n, notes
}

// ids picks the numbers among words.
func ids(words []string) (out []messaging.NodeID) {
	for _, w := range words {
		var n messaging.NodeID
		if _, err := fmt.Sscan(w, &n); err == nil {
			out = append(out, n)
		}
	}
	return out
}

func show(s *strings.Builder, b *bench, nodes []messaging.NodeID, acts map[messaging.NodeID][]Action) {
	for _, id := range nodes {
		r := b.cores[id].Result()
		fmt.Fprintf(s, "%d: quorate=%v expected=%d highest=%d total=%d quorum=%d flags=%v", id, r.Quorate, r.ExpectedVotes, r.Highest, r.TotalVotes, r.Quorum, r.Flags)
		if r.Device.Name != "" {
			for _, m := range b.views[id] {
				fmt.Fprintf(s, " %d:%s", m, r.Devices[m].DeviceText())
			}
		}
		for _, a := range acts[id] {
			if _, tell := a.(*Tell); !tell {
				fmt.Fprintf(s, " %s", strings.TrimPrefix(fmt.Sprintf("%T%v", a, a), "*quorum."))
			}
		}
		s.WriteString("\n")
	}
}

func runStep(t *testing.T, s *strings.Builder, b *bench, cfg Config, f []string) {
	nums := ids(f[1:])
	each := func(nodes []messaging.NodeID, step func(*Core) []Action) {
		acts := map[messaging.NodeID][]Action{}
		for _, id := range nodes {
			acts[id] = step(b.cores[id])
		}
		show(s, b, nodes, acts)
	}
	checked := func(nodes []messaging.NodeID, err error, step func(*Core) []Action) {
		if err != nil {
			fmt.Fprintln(s, err)
			return
		}
		each(nodes, step)
	}
	switch f[0] {
	case "view":
		show(s, b, nums, b.view(nums))
	case "expired":
		each(nums, (*Core).WindowExpired)
	case "left":
		each(nums[1:], func(c *Core) []Action { return c.Left(nums[:1]) })
	case "cancel":
		each(nums, (*Core).CancelWaitForAll)
	case "expect":
		v := uint32(nums[0])
		checked(nums[1:], b.cores[nums[1]].CheckExpected(v), func(c *Core) []Action { return c.SetExpected(v) })
	case "votes":
		v := uint32(nums[0])
		checked(nums[2:], b.cores[nums[2]].CheckVotes(nums[1], v), func(c *Core) []Action { return c.SetVotes(nums[1], v) })
	case "reload":
		out := map[messaging.NodeID][]Action{}
		for _, id := range nums {
			c := cfg
			c.Self = id
			out[id] = b.cores[id].Reconfigure(c)
		}
		for _, id := range nums {
			b.told(id, out[id])
		}
		show(s, b, nums, nil)
	case "poll":
		b.told(nums[0], b.cores[nums[0]].Poll(f[2] == "yes"))
		show(s, b, b.views[nums[0]], nil)
	case "lost":
		b.told(nums[0], b.cores[nums[0]].DeviceLost())
		show(s, b, b.views[nums[0]], nil)
	case "unregister":
		b.told(nums[0], b.cores[nums[0]].Unregister())
		show(s, b, b.views[nums[0]], nil)
	case "decides":
		fmt.Fprintf(s, "%v\n", b.cores[nums[0]].DeviceDecides(nums[1:]))
	default:
		t.Fatalf("unknown step %v", f)
	}
}

// drawPromise draws a configuration that never lets two partitions be quorate.
func drawPromise(t *rapid.T) (cfg Config, nodes int) {
	n := rapid.IntRange(1, 7).Draw(t, "nodes")
	cfg = Config{Votes: 1, ExpectedVotes: uint32(n), WaitForAll: rapid.Bool().Draw(t, "wait_for_all")}
	switch rapid.SampledFrom([]string{"majority", "tie", "last man", "device", "tracking"}).Draw(t, "kind") {
	case "tie":
		cfg.AutoTieBreaker = true
		cfg.TieHighest = rapid.Bool().Draw(t, "highest")
		if rapid.Bool().Draw(t, "list") {
			cfg.TieBreakers = []messaging.NodeID{messaging.NodeID(rapid.IntRange(1, n).Draw(t, "first")), messaging.NodeID(rapid.IntRange(1, n).Draw(t, "second"))}
		}
	case "last man":
		cfg.LastManStanding, cfg.WaitForAll = true, true
	case "device":
		cfg.Device = Device{Name: "Qdevice", Votes: uint32(rapid.SampledFrom([]int{1, max(n-1, 1)}).Draw(t, "device votes"))}
		cfg.ExpectedVotes += cfg.Device.Votes
	case "tracking":
		cfg.Tracking = true
	}
	cfg, _ = cfg.Normalize()
	return cfg, n
}

// TestNoTwoDisjointPartitionsAreQuorate: whatever the partitions do, nodes that
// restart among them, two disjoint ones never have quorum at once, and without a
// device all members of one agree, and all nodes together have it. An arbiter gives its vote to one partition,
// once it has taken it from the others.
func TestNoTwoDisjointPartitionsAreQuorate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg, n := drawPromise(t)
		b := newBench()
		start := func(id messaging.NodeID) {
			c := cfg
			c.Self = id
			core, err := New(c)
			if err != nil {
				t.Fatal(err)
			}
			b.cores[id] = core
		}
		for id := 1; id <= n; id++ {
			start(messaging.NodeID(id))
		}
		raised := false // more votes are expected than there are
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			if rapid.IntRange(0, 5).Draw(t, "restarts") == 0 {
				start(messaging.NodeID(rapid.IntRange(1, n).Draw(t, "restarted")))
			}
			parts := make([][]messaging.NodeID, 3)
			for id := 1; id <= n; id++ {
				p := rapid.IntRange(0, 2).Draw(t, "side")
				parts[p] = append(parts[p], messaging.NodeID(id))
			}
			parts = slices.DeleteFunc(parts, func(p []messaging.NodeID) bool { return len(p) == 0 })
			for _, ids := range parts {
				b.view(ids)
			}
			if len(parts) == 1 && !raised && cfg.Device.Name == "" && !b.cores[1].Result().Quorate {
				t.Fatalf("all nodes are together and have no quorum")
			}
			arbitrate(t, b, cfg, parts)
			checkPartitions(t, b, cfg, parts)
			raised = change(t, b, cfg, parts) || raised
			checkPartitions(t, b, cfg, parts)
		}
	})
}

// arbitrate takes the device's vote from all but one partition and gives it to
// some of its nodes.
func arbitrate(t *rapid.T, b *bench, cfg Config, parts [][]messaging.NodeID) {
	if cfg.Device.Name == "" {
		return
	}
	winner := rapid.IntRange(-1, len(parts)-1).Draw(t, "winner")
	for _, p := range parts {
		for _, id := range p {
			b.told(id, b.cores[id].DeviceLost())
		}
	}
	if winner < 0 {
		return
	}
	for _, id := range parts[winner] {
		if rapid.IntRange(0, 3).Draw(t, "reaches the arbiter") > 0 {
			b.told(id, b.cores[id].Poll(true))
		}
	}
}

// change does in one partition what is ordered there: the end of the window, or
// a request of the administrator that its members accept.
func change(t *rapid.T, b *bench, cfg Config, parts [][]messaging.NodeID) (raised bool) {
	p := parts[rapid.IntRange(0, len(parts)-1).Draw(t, "where")]
	first := b.cores[p[0]]
	switch {
	case cfg.LastManStanding:
		for _, id := range p {
			b.cores[id].WindowExpired()
		}
	case cfg.Device.Name == "" && first.Result().Quorate && rapid.Bool().Draw(t, "administrator"):
		v := uint32(rapid.IntRange(1, 9).Draw(t, "expected votes"))
		if first.CheckExpected(v) != nil || v < cfg.ExpectedVotes {
			return false // to lower it is at the administrator's risk
		}
		for _, id := range p {
			if err := b.cores[id].CheckExpected(v); err != nil {
				t.Fatalf("node %d refuses what node %d accepts: %v", id, p[0], err)
			}
			b.cores[id].SetExpected(v)
		}
		return v > cfg.ExpectedVotes
	}
	return false
}

func checkPartitions(t *rapid.T, b *bench, cfg Config, parts [][]messaging.NodeID) {
	quorate := 0
	for _, ids := range parts {
		some := false
		for _, id := range ids {
			q := b.cores[id].Result().Quorate
			if cfg.Device.Name == "" && id != ids[0] && q != some {
				t.Fatalf("members of %v disagree", ids)
			}
			some = some || q
		}
		if some {
			quorate++
		}
	}
	if quorate > 1 {
		t.Fatalf("%d quorate partitions in %v", quorate, parts)
	}
}

// TestTheVoteForTheNextRingDoesNotCountInTheLast: node 2 was alone and is in a
// ring with the others, who have not told yet.
func TestTheVoteForTheNextRingDoesNotCountInTheLast(t *testing.T) {
	core, err := New(Config{Self: 2, Votes: 1, ExpectedVotes: 7, Device: Device{Name: "Qdevice", Votes: 3}})
	if err != nil {
		t.Fatal(err)
	}
	core.Synced(4, []messaging.NodeID{2}, map[messaging.NodeID]Info{2: core.Info()})
	core.Poll(false)
	core.DeviceStale()
	as := core.Poll(true)
	if core.Result().Quorate {
		t.Error("node 2 counts the vote for the next ring with the members of the last")
	}
	if len(as) != 1 {
		t.Fatalf("the vote is not told: %v", as)
	}
	if _, ok := as[0].(*Tell); !ok {
		t.Errorf("the vote is not told: %T", as[0])
	}
	infos := map[messaging.NodeID]Info{2: core.Info()}
	for _, id := range []messaging.NodeID{1, 3, 4} {
		infos[id] = Info{Votes: 1, Expected: 7, Flags: FlagDeviceRegistered | FlagDeviceAlive}
	}
	core.Synced(8, []messaging.NodeID{1, 2, 3, 4}, infos)
	if r := core.Result(); !r.Quorate || r.TotalVotes != 7 {
		t.Errorf("quorate=%v with %d votes once all have told", r.Quorate, r.TotalVotes)
	}
}

// TestTheDevicesLastWordBetweenRingsCounts: the server gave the vote and took it
// back, while the node's own word waited for the end of a lease.
func TestTheDevicesLastWordBetweenRingsCounts(t *testing.T) {
	core, err := New(Config{Self: 1, Votes: 1, ExpectedVotes: 3, Device: Device{Name: "Qdevice", Votes: 1}})
	if err != nil {
		t.Fatal(err)
	}
	core.DeviceStale()
	core.DeviceAnswered(true)
	core.DeviceAnswered(false)
	if in := core.Info(); in.Flags&FlagDeviceCast != 0 || in.Flags&FlagDeviceAlive == 0 {
		t.Errorf("the node tells that it has a vote which the server has taken back: flags %d", in.Flags)
	}
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
