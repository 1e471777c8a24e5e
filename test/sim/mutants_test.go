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
	if out, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-overlay", list, "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("go test -c: %v\n%s", err, out)
	}
	run := exec.CommandContext(t.Context(), bin, "-test.run", cmp.Or(m.run, usual), "-test.timeout", "240s")
	run.Env = append(os.Environ(), "QUORATE_SIM_FIRST=0", "QUORATE_SIM_SEEDS="+mutantSeeds, "QUORATE_SIM_TRACE=", "QUORATE_SIM_FAILFAST=1", "QUORATE_SIM_DEPTH=5")
	out, err := run.CombinedOutput()
	switch {
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
	if strings.HasPrefix(m.file, "cpg/") || strings.HasPrefix(m.file, "auth/") || strings.HasPrefix(m.file, "link/") {
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
	return "panic or timeout"
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
