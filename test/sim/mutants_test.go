// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sim

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A mutant is the core with one planted fault: text of a file replaced. A
// checker that catches none is no checker.
type mutant struct {
	name, file, old, new string
	rule                 string // the rule that must complain first, "" for any
}

var mutants = []mutant{
	{"a token that was sent again counts", "token.go", "if t.TokenSeq <= c.tokenSeq {", "if t.TokenSeq+100 <= c.tokenSeq {", ""},
	{"a token of any ring is taken", "token.go", "|| t.Ring != c.ring {", "{", ""},
	{"aru only rises", "token.go", "s.aru < t.Aru || t.AruAddr == c.self", "t.AruAddr == c.self", ""},
	{"messages are released when sent", "token.go", "s.release(min(t.Aru, c.lastAru, s.delivered))", "s.release(s.delivered)", ""},
	{"requests are not served", "token.go", "case s.has(seq) && sent < allowed:", "case s.has(seq) && sent < 0:", ""},
	{"gaps are delivered over", "submit.go", "for c.cur.delivered < c.cur.aru {", "for c.cur.delivered < c.cur.high {\nif !c.cur.has(c.cur.delivered+1) {\nc.cur.delivered++\ncontinue\n}", "total order"},
	{"old messages are taken in commit", "submit.go", "(c.state == Operational || c.state == Gather)", "true", "virtual synchrony"},
	{"synchronisation holds nothing", "recovery.go", "c.waitSync = c.cfg.HoldForSync", "c.waitSync = false", "synchronisation first"},
	{"old messages are not handed round", "recovery.go", "if seq > lower && low < high {", "if false {", "virtual synchrony"},
	{"one message too few is handed round", "recovery.go", "max(low, c.cur.released) + 1; seq", "max(low, c.cur.released) + 2; seq", "virtual synchrony"},
	{"a lower member is believed to have all", "recovery.go", "lower = max(lower, m.Aru)", "lower = max(lower, m.High)", "virtual synchrony"},
	{"recovered messages are not filed", "recovery.go", "c.cur.put(m.Seq, packet, m.Origin, m.Recovery)", "_ = packet", "virtual synchrony"},
	{"everybody in both rings comes along", "recovery.go", "return m.OldRing == c.oldRing", "return true", "transitional agreement"},
	{"recovery ends before all have all", "recovery.go", "if c.flagCount >= 3 && c.installSeq <= t.Aru {", "if c.flagCount >= 1 {", ""},
	{"no rest is delivered after the transitional", "recovery.go", "for c.cur.delivered < c.cur.high {", "for false {", ""},
	{"the departed are delivered after a gap", "recovery.go", "&& c.transMemb.has(m.origin) {", "{", "transitional sender comes along"},
	{"a cut message goes on in the next ring", "recovery.go", "c.queue.Restart()", "", ""},
	{"ring numbers are not kept", "core.go", "c.out.add(&PersistRingSeq{Seq: c.reserved})", "", "ring ids grow"},
	{"ring numbers start from the last ring", "commit.go", "Seq: c.maxRingSeq + 4", "Seq: c.oldRing.Seq + 4", ""},
	{"the aru reported is the highest held", "commit.go", "e.OldRing, e.Aru, e.High = c.oldRing, c.cur.aru, c.cur.high", "e.OldRing, e.Aru, e.High = c.oldRing, c.cur.high, c.cur.high", "virtual synchrony"},
	{"old messages wait for the transitional", "recovery.go", "c.deliverContiguous() // still", "// still", ""},
	{"recovery does not wait for senders", "recovery.go", "if t.Retransmit {\n\t\tc.flagCount = 0", "if false {\n\t\tc.flagCount = 0", ""},
	{"copies of other rings are filed", "recovery.go", "if m.Ring != c.cur.ring {", "if false {", ""},
	{"a second attempt forgets the old ring", "commit.go", "c.bury(c.ring)\n", "c.bury(c.ring)\nif c.ring != c.oldRing {\nc.cur = newMsgSet(c.oldRing)\n}\n", ""},
	{"each piece of a cut message is its beginning", "pack/pack.go", "msg[q.offset:q.offset+n]...", "msg[:n]...", "no creation"},
	{"a message is delivered when it is sent", "submit.go", "s.put(seq, packet, c.self, m.Recovery)", "if s.put(seq, packet, c.self, m.Recovery); c.state == Operational {\nc.deliver(s.ring, s.at(seq))\n}", ""},
	{"the transitional names the new members", "recovery.go", "Ring: c.ring, Members: c.transMemb, Left", "Ring: c.ring, Members: c.newMemb, Left", ""},
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
}

func (m *mutant) test(t *testing.T) {
	file, err := filepath.Abs(filepath.Join("..", "..", "messaging", "totem", m.file))
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
	run := exec.CommandContext(t.Context(), bin, "-test.run", "^(TestRings|TestEveryLossIsSurvived)$", "-test.timeout", "90s")
	run.Env = append(os.Environ(), "QUORATE_SIM_FIRST=0", "QUORATE_SIM_SEEDS="+mutantSeeds, "QUORATE_SIM_TRACE=")
	out, err := run.CombinedOutput()
	switch {
	case err == nil:
		t.Errorf("nobody noticed in %s seeds", mutantSeeds)
	case m.rule != "" && !strings.Contains(string(out), "  "+m.rule+": "):
		t.Errorf("rule %q did not complain:\n%.2000s", m.rule, out)
	default:
		t.Logf("caught: %s", firstRule(string(out)))
	}
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
