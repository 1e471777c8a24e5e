// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package explain_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/pengine/explain"
	"github.com/quorate/quorate/pengine/sched"
)

// TestTheManualTellsTheTruth asks what the page for operators asks and compares
// the answers with those that are printed there.
func TestTheManualTellsTheTruth(t *testing.T) {
	page, err := os.ReadFile("../../docs/operations/why.md")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("testdata/shop.xml")
	if err != nil {
		t.Fatal(err)
	}
	root, err := document.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	e, err := explain.New(sched.Input{CIB: root, Now: time.Unix(1_800_000_000, 0).UTC(), Sanitized: true, TransitionID: 1})
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(page), "```\n")
	asked := 0
	for i := 1; i < len(blocks); i += 2 {
		command, printed, _ := strings.Cut(blocks[i], "\n")
		spec, ok := strings.CutPrefix(command, "$ crm_simulate -x shop.xml --why ")
		if !ok {
			t.Fatalf("unknown command in the manual: %s", command)
		}
		q := explain.Question{}
		q.Resource, q.Node, _ = strings.Cut(spec, "@")
		a, err := e.Ask(q)
		if err != nil {
			t.Fatal(err)
		}
		if asked++; a.Text() != printed {
			t.Errorf("the manual says of %s:\n%s\nbut the answer is:\n%s", spec, printed, a.Text())
		}
	}
	if asked == 0 {
		t.Error("the manual has no examples")
	}
}
