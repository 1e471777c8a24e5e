// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package totem

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/quorate/quorate/internal/sim"
	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/totem/wire"
)

// A script is a ring of cores on a network whose every packet takes one
// millisecond, driven by the commands of a test file. See run for them.
type script struct {
	cfg   Config
	w     *sim.World
	net   *sim.Network
	hosts []*sim.Host
	cores []*Core
	disks []uint64
	slow  []bool // disks that do not answer
	out   strings.Builder
	drops []*dropRule
	show  map[string]bool // kinds of actions to print
	gen   [][numTimers]int
}

// A dropRule loses or doubles the next packets of a kind.
type dropRule struct {
	typ      string
	from, to int // 0: any
	count    int
	double   bool
}

func newScript(nodes int, change func(*Config)) *script {
	s := &script{w: sim.New(1), show: map[string]bool{"conf": true, "deliver": true, "notice": true}}
	s.cfg = DefaultConfig(1, nodes)
	if change != nil {
		change(&s.cfg)
	}
	for range nodes {
		s.hosts = append(s.hosts, sim.NewHost(s.w))
	}
	s.cores, s.disks, s.gen = make([]*Core, nodes), make([]uint64, nodes), make([][numTimers]int, nodes)
	s.slow = make([]bool, nodes)
	s.net = sim.NewNetwork(s.w, s.hosts)
	s.net.SetFaults(sim.Faults{MinDelay: time.Millisecond, MaxDelay: time.Millisecond})
	s.net.Drop = s.drop
	s.net.Recv = func(from, to int, packet []byte) {
		s.step(to, &Recv{From: messaging.NodeID(from + 1), Packet: packet})
	}
	return s
}

func (s *script) drop(from, to int, packet []byte) bool {
	t, _ := wire.TypeOf(packet)
	for _, r := range s.drops {
		if r.count > 0 && (r.typ == "any" || r.typ == t.String()) && (r.from == 0 || r.from == from+1) && (r.to == 0 || r.to == to+1) {
			r.count--
			if r.double {
				s.w.After(2*time.Millisecond, func() { s.hosts[to].Do(func() { s.net.Recv(from, to, packet) }) })
				return false
			}
			return true
		}
	}
	return false
}

func (s *script) start(i int, saved uint64) {
	cfg := s.cfg
	cfg.Self = messaging.NodeID(i + 1)
	c, err := New(cfg)
	if err != nil {
		fmt.Fprintf(&s.out, "%v\n", err)
		return
	}
	s.cores[i] = c
	s.hosts[i].Start()
	s.step(i, &Start{SavedRingSeq: saved})
}

func (s *script) step(i int, ev Event) {
	durable := uint64(0)
	defer func() {
		if durable > 0 {
			s.step(i, &Persisted{Seq: durable})
		}
	}()
	for _, a := range s.cores[i].Step(s.w.Now(), ev) {
		kind := ""
		switch a := a.(type) {
		case *Send:
			kind = "send"
			for to := range s.cores {
				if to != i && (a.To == 0 || int(a.To) == to+1) {
					s.net.Send(i, to, a.Packet)
				}
			}
		case *SetTimer:
			kind = "timer"
			s.gen[i][a.ID]++
			gen := s.gen[i][a.ID]
			id := a.ID
			s.hosts[i].After(a.After, func() {
				if s.gen[i][id] == gen {
					s.step(i, &Timer{ID: id})
				}
			})
		case *StopTimer:
			kind = "timer"
			s.gen[i][a.ID]++
		case *PersistRingSeq:
			kind = "persist"
			if !s.slow[i] {
				s.disks[i], durable = a.Seq, a.Seq
			}
		case *Deliver:
			kind = "deliver"
		case *ConfChange:
			kind = "conf"
		case *Notice:
			kind = "notice"
		}
		if s.show[kind] {
			fmt.Fprintf(&s.out, "%v %d: %v\n", s.w.Now().Round(time.Millisecond), i+1, a)
		}
	}
}

// ints reads node numbers as indexes.
func ints(args []string) (out []int) {
	for _, a := range args {
		n, err := strconv.Atoi(a)
		if err == nil {
			out = append(out, n-1)
		}
	}
	return out
}

// run carries out one line of a command:
//
//	start N…            restart N [lost|saved=S]     crash N…       leave N
//	run DURATION        submit N TEXT                bulk N COUNT SIZE
//	cut A B             part N N / N N               heal
//	drop TYPE COUNT [from=N] [to=N]                  double TYPE COUNT [from=N] [to=N]
//	pause N             resume N                     suspect N X…   clear N X
//	inject TO FROM TYPE key=value…                   show KIND…
//	state               stats N FIELD…               syncdone N
//	disk N slow|fast    reconfigure N setting=value…
func (s *script) run(t *testing.T, line string) {
	f := strings.Fields(line)
	args := ints(f[1:])
	switch f[0] {
	case "start":
		for _, i := range args {
			s.start(i, 0)
		}
	case "restart":
		i := args[0]
		saved := s.disks[i]
		if len(f) > 2 && f[2] == "lost" {
			saved = 0
		}
		s.start(i, saved)
	case "crash":
		for _, i := range args {
			s.hosts[i].Crash()
		}
	case "leave":
		s.step(args[0], &Leave{})
		s.hosts[args[0]].Crash()
	case "run":
		d, err := time.ParseDuration(f[1])
		if err != nil {
			t.Fatal(err)
		}
		s.w.Run(s.w.Now()+d, nil)
	case "submit":
		s.step(args[0], &Submit{Body: []byte(strings.Join(f[2:], " "))})
	case "bulk":
		for k := range args[1] + 1 {
			if !s.cores[args[0]].Room(args[2] + 1) {
				fmt.Fprintf(&s.out, "no room after %d\n", k)
				break
			}
			s.step(args[0], &Submit{Body: make([]byte, args[2]+1)})
		}
	case "cut":
		s.net.Cut(args[0], args[1], true)
	case "part":
		side, now := make([]int, len(s.cores)), 0
		for _, a := range f[1:] {
			if a == "/" {
				now++
				continue
			}
			side[ints([]string{a})[0]] = now
		}
		s.net.Partition(side)
	case "heal":
		s.net.Heal()
	case "drop", "double":
		r := &dropRule{typ: f[1], count: args[0] + 1, double: f[0] == "double"}
		for _, a := range f[3:] {
			if v, ok := strings.CutPrefix(a, "from="); ok {
				r.from, _ = strconv.Atoi(v)
			}
			if v, ok := strings.CutPrefix(a, "to="); ok {
				r.to, _ = strconv.Atoi(v)
			}
		}
		s.drops = append(s.drops, r)
	case "pause":
		s.hosts[args[0]].Pause()
	case "resume":
		s.hosts[args[0]].Resume()
	case "suspect":
		var dead []messaging.NodeID
		for _, a := range args[1:] {
			dead = append(dead, messaging.NodeID(a+1))
		}
		s.step(args[0], &SuspectDown{Nodes: dead})
	case "clear":
		s.step(args[0], &SuspectCleared{Node: messaging.NodeID(args[1] + 1)})
	case "inject":
		s.step(args[0], &Recv{From: messaging.NodeID(args[1] + 1), Packet: packet(t, s.cores[args[0]], f[3:])})
	case "disk":
		i := args[0]
		if s.slow[i] = f[2] == "slow"; !s.slow[i] {
			s.disks[i] = s.cores[i].reserved
			s.step(i, &Persisted{Seq: s.disks[i]})
		}
	case "reconfigure":
		cfg := s.cfg
		for _, a := range f[2:] {
			k, v, _ := strings.Cut(a, "=")
			set(t, &cfg, k, v)
		}
		for _, i := range args {
			s.step(i, &Reconfigure{Config: cfg})
		}
	case "gather":
		s.step(args[0], &ForceGather{})
	case "syncdone":
		s.step(args[0], &SyncDone{})
	case "show":
		s.show = map[string]bool{}
		for _, k := range f[1:] {
			s.show[k] = true
		}
	case "state":
		for i, c := range s.cores {
			if s.hosts[i].Up() {
				fmt.Fprintf(&s.out, "%d: %v ring %v members %s\n", i+1, c.State(), c.Ring(), nodes(c.Members()))
			}
		}
	case "stats":
		st := reflect.ValueOf(s.cores[args[0]].Stats())
		for _, name := range f[2:] {
			fmt.Fprintf(&s.out, "%d: %s %v\n", args[0]+1, name, st.FieldByName(name))
		}
	default:
		t.Fatalf("unknown command %q", line)
	}
}

// packet builds a packet from "TYPE key=value…"; what is not given comes from
// the core's present ring.
func packet(t *testing.T, c *Core, f []string) []byte {
	kv := map[string]string{}
	for _, a := range f[1:] {
		k, v, _ := strings.Cut(a, "=")
		kv[k] = v
	}
	num := func(key string, or uint64) uint64 {
		if v, ok := kv[key]; ok {
			n, err := strconv.ParseUint(v, 0, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		return or
	}
	set := func(key string) (out []messaging.NodeID) {
		for v := range strings.SplitSeq(kv[key], ",") {
			if n, err := strconv.Atoi(v); err == nil {
				out = append(out, messaging.NodeID(n))
			}
		}
		return out
	}
	ring := messaging.RingID{Rep: messaging.NodeID(num("rep", uint64(c.ring.Rep))), Seq: num("ring", c.ring.Seq)}
	switch f[0] {
	case "token":
		k := wire.Token{
			Ring: ring, TokenSeq: num("token_seq", c.tokenSeq+1), Seq: num("seq", c.lastSeq), Aru: num("aru", c.lastAru),
			AruAddr: messaging.NodeID(num("aru_addr", 0)), Fcc: uint32(num("fcc", 0)), Backlog: uint32(num("backlog", 0)),
		}
		for _, n := range set("missing") {
			k.Missing = append(k.Missing, uint64(n))
		}
		return k.Append(nil)
	case "mcast":
		m := wire.Mcast{Ring: ring, Seq: num("seq", 1), Origin: messaging.NodeID(num("origin", 2)), Payload: []byte(kv["payload"])}
		return m.Append(nil)
	case "merge_detect":
		return (&wire.MergeDetect{Ring: ring, Members: set("members"), Deaf: set("deaf"), Refused: set("refused")}).Append(nil)
	case "hold_cancel":
		return wire.HoldCancel{Ring: ring}.Append(nil)
	case "join":
		j := wire.Join{RingSeq: num("ring_seq", c.ring.Seq), Proc: set("proc"), Failed: set("failed"), Deaf: set("deaf"), Leave: kv["leave"] != ""}
		return j.Append(nil)
	case "commit":
		ct := wire.Commit{Ring: ring, TokenSeq: num("token_seq", 1), Filled: int(num("filled", 0))}
		for _, n := range set("members") {
			ct.Members = append(ct.Members, wire.CommitMember{Node: n})
		}
		return ct.Append(nil)
	case "raw":
		return []byte(kv["bytes"])
	}
	t.Fatalf("unknown packet %q", f[0])
	return nil
}

// runScripts plays every file of a folder.
func runScripts(t *testing.T, dir string) {
	datadriven.Walk(t, dir, func(t *testing.T, path string) {
		var s *script
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd == "ring" {
				s = newScript(nodesOf(t, d), func(c *Config) { configure(t, c, d) })
				return ""
			}
			s.out.Reset()
			for line := range strings.Lines(d.Input) {
				if line = strings.TrimSpace(line); line != "" {
					s.run(t, line)
				}
			}
			return s.out.String()
		})
	})
}

func nodesOf(t *testing.T, d *datadriven.TestData) int {
	var n int
	if d.HasArg("nodes") {
		d.ScanArgs(t, "nodes", &n)
	}
	return max(n, 1)
}

// configure reads settings such as token=300ms or window=2.
func configure(t *testing.T, c *Config, d *datadriven.TestData) {
	for _, a := range d.CmdArgs {
		if len(a.Vals) == 1 {
			set(t, c, a.Key, a.Vals[0])
		}
	}
}

// set changes the setting of a name, if there is one.
func set(t *testing.T, c *Config, name, value string) {
	field := reflect.ValueOf(c).Elem().FieldByName(name)
	if !field.IsValid() {
		return
	}
	switch field.Interface().(type) {
	case time.Duration:
		dur, err := time.ParseDuration(value)
		if err != nil {
			t.Fatal(err)
		}
		field.SetInt(int64(dur))
	case int:
		n, err := strconv.Atoi(value)
		if err != nil {
			t.Fatal(err)
		}
		field.SetInt(int64(n))
	case bool:
		field.SetBool(value == "true")
	}
}

// TestSentences plays scripts named after the sentences that they check.
func TestSentences(t *testing.T) { runScripts(t, "testdata/ring") }

// TestCornerCases plays a script for each row of the table of what
// implementers get wrong.
func TestCornerCases(t *testing.T) { runScripts(t, "testdata/corner") }
