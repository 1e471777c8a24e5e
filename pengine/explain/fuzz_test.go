// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package explain_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/pengine/explain"
	"github.com/quorate/quorate/pengine/sched"
)

// maxFuzzed bounds the questions about one input.
const maxFuzzed = 12

// FuzzAsk asks about whatever a document says of a cluster: no input makes it
// panic, and the input stays as it was.
func FuzzAsk(f *testing.F) {
	files, _ := filepath.Glob("../testdata/scenarios/*/cib.xml")
	for _, file := range append(files, "testdata/shop.xml") {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	for _, c := range causeCases(dummy("web", "")) {
		f.Add(document.Compact(c.cib(f)))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		root, err := document.Parse(text)
		if err != nil || len(text) > 1<<16 {
			return
		}
		in := sched.Input{CIB: root, Now: aMoment, TransitionID: 1}
		before := string(document.Compact(root))
		e, err := explain.New(in)
		if err != nil {
			return
		}
		for i, q := range questions(t, in) {
			if i >= maxFuzzed {
				break
			}
			if _, err := e.Ask(q.Question); err != nil {
				t.Fatalf("%+v: %v", q, err)
			}
		}
		if string(document.Compact(root)) != before {
			t.Fatal("the questions changed the input")
		}
	})
}
