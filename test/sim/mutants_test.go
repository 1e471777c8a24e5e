// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sim

import (
	"cmp"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A mutant is the core with one planted fault: text of a file replaced. A
// checker that catches none is no checker.
type mutant struct {
	name, file, old, new string
	rule                 string // the rule that must complain first, "" for any
	run                  string // the tests that have to notice, "" for the usual
}

// A plan is what some mutants need beside.
type plan struct {
	kind string // the options of the quorum that all seeds play, "" for any
	pkg  string // whose tests have to notice, "" for the simulation
}

// plans are by the mutants' names.
var plans = map[string]plan{
	"a device that is silent stalls a synchronisation": {pkg: "../../messaging/engine"},
	"a lone one of two has no quorum":                  {kind: "two_node"},
	"who starts waits for nobody":                      {kind: "plain"},
	"each half has the tie breaker":                    {kind: "auto_tie_breaker"},
	"the tie breaker is always the lowest":             {kind: "auto_tie_breaker"},
	"the last of the list decides":                     {kind: "auto_tie_breaker"},
	"each node remembers a tie breaker of its own":     {kind: "auto_tie_breaker"},
	"lowered votes bind nobody":                        {kind: "last_man_standing"},
	"the window lowers nothing":                        {kind: "last_man_standing"},
	"half and half of the last men":                    {kind: "last_man_standing auto_tie_breaker"},
	"downscaling goes below what is configured":        {kind: "allow_downscale"},
	"a clean leave lowers nothing":                     {kind: "allow_downscale"},
	"nothing is tracked":                               {kind: "expected_votes_tracking"},
	"the device's vote outlives its ring":              {kind: "device ffsplit"},
	"a vote for the next ring counts in the last":      {kind: "device lms"},
	"a vote that is taken back is told":                {kind: "device lms"},
	"winners are told before losers have answered":     {kind: "device ffsplit"},
	"who is silent cannot have the vote":               {kind: "device lms"},
	"an even split has no winner":                      {kind: "device ffsplit"},
	"nobody is the last man":                           {kind: "device lms"},
	"a vote lasts too long":                            {kind: "device lms"},
	"all changes wait for the device":                  {kind: "device ffsplit"},
	"a request may take quorum":                        {kind: "administrator raise"},
	"a newcomer counts with what it was told alone":    {kind: "administrator lower"},
	"who was lost is not waited for":                   {kind: "plain+lease"},
	"a lease runs from the last token":                 {kind: "plain+lease"},
	"a ring in between ends the wait":                  {pkg: "../../messaging/quorum"},
	"tokens of the next ring renew a view":             {kind: "auto_tie_breaker+lease"},
	"each node has one vote":                           {kind: "votes"},
	"half is a majority":                               {kind: "plain"},
}

// usual are the tests that run with each mutant.
const usual = "^(TestRings|TestEveryLossIsSurvived)$"

var mutants = []mutant{
	{"a token that was sent again counts", "token.go", "if t.TokenSeq <= c.tokenSeq {", "if t.TokenSeq+100 <= c.tokenSeq {", "", ""},
	{"a token of any ring is taken", "token.go", "|| t.Ring != c.ring {", "{", "", ""},
	{"aru only rises", "token.go", "s.aru < t.Aru || t.AruAddr == c.self", "t.AruAddr == c.self", "", ""},
	{"messages are released when sent", "token.go", "s.release(min(t.Aru, c.lastAru, s.delivered))", "s.release(s.delivered)", "", ""},
	{"requests are not served", "token.go", "case s.has(seq) && sent < allowed:", "case s.has(seq) && sent < 0:", "", ""},
	{"gaps are delivered over", "submit.go", "for c.cur.delivered < c.cur.aru {", "for c.cur.delivered < c.cur.high {\nif !c.cur.has(c.cur.delivered+1) {\nc.cur.delivered++\ncontinue\n}", "total order", ""},
	{"old messages are taken in commit", "submit.go", "(c.state == Operational || c.state == Gather)", "true", "virtual synchrony", ""},
	{"synchronisation holds nothing", "recovery.go", "c.waitSync = c.cfg.HoldForSync", "c.waitSync = false", "synchronisation first", ""},
	{"old messages are not handed round", "recovery.go", "if seq > lower && low < high {", "if false {", "virtual synchrony", ""},
	{"one message too few is handed round", "recovery.go", "max(low, c.cur.released) + 1; seq", "max(low, c.cur.released) + 2; seq", "virtual synchrony", ""},
	{"a lower member is believed to have all", "recovery.go", "lower = max(lower, m.Aru)", "lower = max(lower, m.High)", "virtual synchrony", ""},
	{"recovered messages are not filed", "recovery.go", "c.cur.put(m.Seq, packet, m.Origin, m.Recovery)", "_ = packet", "virtual synchrony", ""},
	{"everybody in both rings comes along", "recovery.go", "return m.OldRing == c.oldRing", "return true", "transitional agreement", ""},
	{"recovery ends before all have all", "recovery.go", "if c.flagCount >= 3 && c.installSeq <= t.Aru {", "if c.flagCount >= 1 {", "", ""},
	{"no rest is delivered after the transitional", "recovery.go", "for c.cur.delivered < c.cur.high {", "for false {", "", ""},
	{"the departed are delivered after a gap", "recovery.go", "&& c.transMemb.has(m.origin) {", "{", "transitional sender comes along", ""},
	{"a cut message goes on in the next ring", "recovery.go", "c.queue.Restart()", "", "", ""},
	{"a restart forgets the ring number", "core.go", "Seq: min(ev.SavedRingSeq, wire.MaxRingSeq-reserveAhead) + 1}", "Seq: min(ev.SavedRingSeq, 0) + 1}", "ring ids grow", ""},
	{"ring numbers start from the last ring", "commit.go", "seq := c.maxRingSeq + 4", "seq := c.oldRing.Seq + 4", "", ""},
	{"the aru reported is the highest held", "commit.go", "e.OldRing, e.Aru, e.High = c.oldRing, c.cur.aru, c.cur.high", "e.OldRing, e.Aru, e.High = c.oldRing, c.cur.high, c.cur.high", "virtual synchrony", ""},
	{"old messages wait for the transitional", "recovery.go", "c.deliverContiguous() // still", "// still", "", ""},
	{"recovery does not wait for senders", "recovery.go", "if t.Retransmit {\n\t\tc.flagCount = 0", "if false {\n\t\tc.flagCount = 0", "", ""},
	{"copies of other rings are filed", "recovery.go", "if m.Ring != c.cur.ring {", "if false {", "", ""},
	{"a second attempt forgets the old ring", "commit.go", "c.bury(c.ring)\n", "c.bury(c.ring)\nif c.ring != c.oldRing {\nc.cur = newMsgSet(c.oldRing)\n}\n", "", ""},
	{"each piece of a cut message is its beginning", "pack/pack.go", "msg[q.offset:q.offset+n]...", "msg[:n]...", "no creation", ""},
	{"a message is delivered when it is sent", "submit.go", "s.put(seq, packet, c.self, m.Recovery)", "if s.put(seq, packet, c.self, m.Recovery); c.state == Operational {\nc.deliver(s.ring, s.at(seq))\n}", "", ""},
	// The faults that corosync had, or has (chapter 0.4 of the study).
	{"recovery messages are filed by their flag", "submit.go", "case c.state == Recovery && m.Ring == c.next.ring:", "case c.state == Recovery && m.Ring == c.next.ring && !m.Recovery:\ns = c.cur\ncase c.state == Recovery && m.Ring == c.next.ring:", "", ""},
	{"counters move before the duplicate test", "token.go", "	if t.TokenSeq <= c.tokenSeq {", "	c.acceptToken(t)\n	if t.TokenSeq <= c.tokenSeq {", "", "^TestDuplicatesDoNotDisturbAnIdleRing$"},
	{"recovery takes the commit token of any ring", "commit.go", "case c.state == Recovery && full && ct.Ring == c.ring && members[0] == c.self &&\n\t\tct.TokenSeq >= c.lastCommitSeq && !c.originated:", "case c.state == Recovery && full && !c.originated:", "", ""},
	{"a count is believed", "wire/order.go", "	if len(b) != tokenFixed+8*int(n) {", "	if false {", "", "^TestAMillionBrokenMembersPacketsNeitherPanicNorGrow$"},
	{"a commit token's index is believed", "wire/membership.go", "if n == 0 || n > MaxNodes || filled > n {", "if n == 0 || n > MaxNodes {", "", "^TestAMillionBrokenMembersPacketsNeitherPanicNorGrow$"},
	{"each ring number is written", "core.go", "reserveAhead = 4096", "reserveAhead = 1024", "ring numbers are written seldom", ""},
	{"an odd range ends the program", "msgset.go", "if seq <= s.released || seq > s.released+uint64(len(s.slots)) {\n\t\treturn nil", "if seq <= s.released || seq > s.released+uint64(len(s.slots)) {\n\t\tpanic(seq)", "", ""},
	{"a synchronisation waits for ever for a node that went", "cpg/cpg.go", "if c.syncing && m.ring == c.ring && slices.Contains(c.nodes, from) {", "if c.syncing && slices.Contains(c.nodes, from) && !c.known[from] {", "", ""},

	{"a ring is agreed to before its number is durable", "core.go", "	if seq <= c.durable {", "	if true {", "ring number durable", ""},
	{"a slot outside of the window is used", "msgset.go", "if seq <= s.released || seq > s.released+uint64(len(s.slots)) {", "if seq <= s.released {", "", ""},
	{"a node sends all it has", "flow.go", "max(min(cfg.MaxMessages, cfg.Window-int(t.Fcc)), 0)", "cfg.MaxMessages", "window", ""},
	{"the retransmit flag stays", "recovery.go", "t.Retransmit, c.setRetrans = false, false", "c.setRetrans = false", "one ring after the faults", ""},
	{"a suspicion is never taken back", "gather.go", "c.suspects = c.suspects.minus(nodeSet{n})", "_ = n", "", ""},
	{"penalties have no end", "penalty.go", "e.until = now + min(unit<<min(over-1, 10), penaltyMax)", "e.until = now + time.Hour", "one ring after the faults", ""},
	{"nobody is kept out of a ring that does not hear it", "clique.go", "	if len(best) == len(all) {", "	if true {", "", "^TestOneWayLinksEndInTheSameRings$"},
	{"a newcomer is not told that it is refused", "clique.go", "	return set\n}\n\n// ask makes", "	return nil\n}\n\n// ask makes", "", "^TestOneWayLinksEndInTheSameRings$"},
	{"silence counts while the own process sleeps", "link/link.go", "step = min(elapsed, 2*step)", "step = elapsed", "", "^TestASuspendedNodeAccusesNobody$"},
	{"a packet is taken twice", "auth/guard.go", "	if !s.win.fresh(h.counter) {", "	if false {", "", "^TestAMillionReplaysAreRefused$"},
	{"packets from before the start are taken", "auth/hello.go", "		s.win.close()\n", "", "", "^TestAMillionReplaysAreRefused$"},
	{"members that parted stay in their groups", "cpg/cpg.go", "	c.mark = len(c.waits)\n	if !c.syncing {", "	c.mark = len(c.waits)\n	if false {", "virtual synchrony of groups", ""},
	{"who leaves a group stays in it", "cpg/cpg.go", "	case m.kind == kindLeave:\n		c.remove(id, name)\n", "	case m.kind == kindLeave:\n", "group changes once", ""},
	{"a synchronisation ends without the last", "cpg/cpg.go", "if len(c.got) == len(c.nodes) {", "if len(c.got) >= max(len(c.nodes)-1, 1) {", "", ""},
	{"who comes anew brings nobody along", "cpg/cpg.go", "			c.add(id, l.pid, l.group)\n			joined", "			joined", "", ""},
	// The options of the quorum.
	{"a device that is silent stalls a synchronisation", "engine/device.go", "if a.needs && e.ring == ring {", "if a == nil && e.ring == ring {", "", "^TestAChangeWaitsForTheDeviceWhereItDecides$"},
	{"a lone one of two has no quorum", "quorum/count.go", "	if c.cfg.TwoNode && nodes <= 2 {", "	if false {", "two_node", ""},
	{"who starts waits for nobody", "quorum/memory.go", "c.wfa = c.cfg.WaitForAll && waits", "c.wfa = false", "wait for all", ""},
	{"each half has the tie breaker", "quorum/memory.go", "c.tie != 0 && slices.Contains(c.members, c.tie)", "c.tie != 0", "one quorate side", ""},
	{"the tie breaker is always the lowest", "quorum/memory.go", "return slices.Max(c.members)", "return slices.Min(c.members)", "auto_tie_breaker", ""},
	{"the last of the list decides", "quorum/memory.go", "for _, id := range c.cfg.TieBreakers {", "for _, id := range slices.Backward(c.cfg.TieBreakers) {", "auto_tie_breaker", ""},
	{"each node remembers a tie breaker of its own", "quorum/memory.go", "	c.tie = latest.Tie\n", "	c.tie = c.tieNode\n", "", ""},
	{"lowered votes bind nobody", "quorum/memory.go", "return e.base == 0 || ", "return true || ", "one quorate side", ""},
	{"the window lowers nothing", "quorum/quorum.go", "if !c.quorate || !c.cfg.LastManStanding {", "if true {", "last_man_standing", ""},
	{"half and half of the last men", "quorum/memory.go", "2*e.votes == e.expected && tieHere", "2*e.votes == e.expected", "one quorate side", ""},
	{"downscaling goes below what is configured", "quorum/count.go", "high = max(high, c.barrier)", "_ = c.barrier", "expected votes are kept", ""},
	{"a clean leave lowers nothing", "quorum/quorum.go", "if !c.cfg.AllowDownscale || len(ids) == 0 {", "if true {", "allow_downscale", ""},
	{"nothing is tracked", "quorum/count.go", "if c.cfg.Tracking && high > c.tracked {", "if false {", "expected_votes_tracking", ""},
	{"the device's vote outlives its ring", "quorum/quorum.go", "	c.device &^= FlagDeviceCast\n	c.between = true", "	c.between = true", "one side has the device's vote", ""},
	{"a vote for the next ring counts in the last", "quorum/quorum.go", "	if c.between && gained {", "	if false && gained {", "one quorate side", ""},
	{"a vote that is taken back is told", "quorum/quorum.go", "(c.device | FlagDeviceAlive) &^ FlagDeviceCast", "c.device | FlagDeviceAlive", "one side has the device's vote", ""},
	{"winners are told before losers have answered", "qnetd/decide.go", "if cl.told.holds && !slices.Contains(k.winners, cl.node) {", "if false {", "one side has the device's vote", ""},
	{"who is silent cannot have the vote", "qnetd/core.go", "if !orderly && cl.told.holds {", "if false {", "one side has the device's vote", ""},
	{"an even split has no winner", "qnetd/decide.go", "		case n == configured:\n", "		case false:\n", "the device decides", ""},
	{"nobody is the last man", "qnetd/decide.go", "		best = lastMan(k, parts)\n", "		_ = lastMan(k, parts)\n", "the device decides", ""},
	{"a vote lasts too long", "qdevice/api.go", "const LeaseFactor = 1.25", "const LeaseFactor = 4.25", "one side has the device's vote", ""},
	{"all changes wait for the device", "quorum/quorum.go", "return votes < need && (c.cfg.Device.MasterWins || votes+c.cfg.Device.Votes >= need)", "return votes+need > 0", "only where the device decides it is waited for", ""},
	{"a request may take quorum", "quorum/quorum.go", "if c.quorate && total < max((v+2)/2, (total+2)/2) && !c.twoNodeNow() {", "if false {", "requests keep quorum", ""},
	{"a newcomer counts with what it was told alone", "quorum/memory.go", "max(c.full, c.inside.expected)", "max(c.full, c.cfg.ExpectedVotes)", "members agree on quorum", ""},
	{"who was lost is not waited for", "quorum/lease.go", "	return l.act\n", "	return 0\n", "lease", ""},
	{"a lease runs from the last token", "quorum/lease.go", "	return l.before + l.length, true", "	return l.last + l.length, true", "lease", ""},
	{"a ring in between ends the wait", "quorum/lease.go", "	l.parted = false\n", "	l.parted, l.act = false, 0\n", "", "^TestWhoWasLostOnTheWayToAnotherRingIsWaitedFor$"},
	{"tokens of the next ring renew a view", "quorum/lease.go", "	if l.gone {\n		l.started", "	if false {\n		l.started", "lease", ""},
	{"each node has one vote", "quorum/count.go", "			votes += n.info.Votes\n			nodes++", "			votes++\n			nodes++", "one quorate side", ""},
	{"half is a majority", "quorum/count.go", "c.quorum = max((high+2)/2, (total+2)/2)\n	if", "c.quorum = max((high+1)/2, (total+1)/2)\n	if", "one quorate side", ""},

	{"the transitional names the new members", "recovery.go", "Ring: c.ring, Members: c.transMemb, Left", "Ring: c.ring, Members: c.newMemb, Left", "", ""},
}

const mutantSeeds = "1000"

// TestCheckersCatchMutants builds each mutant and wants the simulation to fail
// on it. It takes a while: set QUORATE_SIM_MUTANTS=1.
func TestCheckersCatchMutants(t *testing.T) {
	if os.Getenv("QUORATE_SIM_MUTANTS") == "" {
		t.Skip("QUORATE_SIM_MUTANTS is not set")
	}
	for _, m := range mutants {
		if p := plans[m.name]; p.kind != "" && m.run == "" {
			m.run = "^TestRings$"
		}
		t.Run(strings.ReplaceAll(m.name, " ", "_"), func(t *testing.T) { m.test(t) })
	}
	slices.Sort(caughtAfter)
	if n := len(caughtAfter); n > 0 {
		t.Logf("%d mutants; %d caught by random seeds, after %d (median), at most %d", len(mutants), n, caughtAfter[n/2], caughtAfter[n-1])
	}
}

func (m *mutant) test(t *testing.T) {
	file, err := filepath.Abs(filepath.Join("..", "..", "messaging", m.path()))
	if err != nil {
		t.Fatal(err)
	}
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(src), m.old); n != 1 {
		t.Fatalf("%q stands %d times in %s", m.old, n, m.file)
	}
	p := plans[m.name]
	dir := t.TempDir()
	changed := filepath.Join(dir, filepath.Base(m.file))
	if err := os.WriteFile(changed, []byte(strings.Replace(string(src), m.old, m.new, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{file: changed}})
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(dir, "mutant.test")
	if out, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-overlay", list, "-o", bin, cmp.Or(p.pkg, ".")).CombinedOutput(); err != nil {
		t.Fatalf("go test -c: %v\n%s", err, out)
	}
	run := exec.CommandContext(t.Context(), bin, "-test.run", cmp.Or(m.run, usual), "-test.timeout", "20m")
	run.Env = append(os.Environ(), "QUORATE_SIM_FIRST=0", "QUORATE_SIM_SEEDS="+mutantSeeds, "QUORATE_SIM_TRACE=", "QUORATE_SIM_FAILFAST=1", "QUORATE_SIM_DEPTH=5", "QUORATE_SIM_QUORUM="+p.kind)
	out, err := run.CombinedOutput()
	switch {
	case strings.Contains(string(out), "test timed out"):
		t.Error("the tests did not end in time: that shows nothing")
	case err == nil:
		t.Errorf("nobody noticed in %s seeds:\n%.500s", mutantSeeds, out)
	case m.rule != "" && !strings.Contains(string(out), "  "+m.rule+": "):
		t.Errorf("rule %q did not complain:\n%.2000s", m.rule, out)
	default:
		seeds := seedsToCatch(string(out))
		t.Logf("caught after %s: %s", seeds, firstRule(string(out)))
		if n, err := strconv.Atoi(seeds); err == nil {
			caughtAfter = append(caughtAfter, n)
		}
	}
}

// caughtAfter are the seeds that it took to catch the mutants that TestRings
// caught.
var caughtAfter []int

// path gives the file below messaging; those of the ring are named without it.
func (m *mutant) path() string {
	switch dir, _, _ := strings.Cut(m.file, "/"); dir {
	case "cpg", "auth", "link", "quorum", "qnetd", "qdevice", "engine":
		return m.file
	}
	return filepath.Join("totem", m.file)
}

// seedsToCatch gives how many seeds were played until one failed.
func seedsToCatch(out string) string {
	least := -1
	for line := range strings.Lines(out) {
		if _, after, ok := strings.Cut(line, ": seed "); ok {
			digits, _, _ := strings.Cut(after, ":")
			if n, err := strconv.Atoi(digits); err == nil && (least < 0 || n < least) {
				least = n
			}
		}
	}
	if least < 0 {
		return "another test"
	}
	return strconv.Itoa(least + 1)
}

// firstRule gives the first complaint of a run.
func firstRule(out string) string {
	for line := range strings.Lines(out) {
		for _, rule := range rules {
			if i := strings.Index(line, "  "+rule+": "); i >= 0 {
				return strings.TrimSpace(line[i:min(len(line), i+140)])
			}
		}
	}
	for line := range strings.Lines(out) {
		if strings.Contains(line, "_test.go:") || strings.HasPrefix(line, "panic: ") {
			return strings.TrimSpace(line[:min(len(line), 140)])
		}
	}
	return "no word of why"
}

// The text that a mutant changes stands once in its file: a mutant that fits no
// more is found in each run of the tests, not when somebody plants it.
func TestMutantsFit(t *testing.T) {
	for _, m := range mutants {
		src, err := os.ReadFile(filepath.Join("..", "..", "messaging", m.path()))
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(src), m.old); n != 1 {
			t.Errorf("%s: %q stands %d times in %s", m.name, m.old, n, m.path())
		}
	}
}
