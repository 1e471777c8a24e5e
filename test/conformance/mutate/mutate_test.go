// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package mutate

import (
	"bytes"
	"os"
	"testing"
	"time"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/cib/schema"
)

var noon = time.Date(2026, 7, 15, 12, 0, 0, 0, time.UTC)

// parse reads testdata/cluster.xml, which has something for each kind of change.
func parse(t *testing.T) *etree.Element {
	t.Helper()
	text, err := os.ReadFile("testdata/cluster.xml")
	if err != nil {
		t.Fatal(err)
	}
	root, err := document.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// tries is how many seeds a kind gets until it has to have done something.
const tries = 200

func TestEachKindOfChangeChangesTheStateAndSaysSo(t *testing.T) {
	before := document.Format(parse(t))
	seen := map[string]bool{}
	for _, k := range Kinds() {
		if seen[k.Name] {
			t.Errorf("there are two kinds of the name %s", k.Name)
		}
		seen[k.Name] = true
		done := false
		for seed := range uint64(tries) {
			root := parse(t)
			c, ok := One(root, k.Name, seed, noon)
			changed := !bytes.Equal(before, document.Format(root))
			if ok && (c.What == "" || c.Kind != k.Name) {
				t.Errorf("%s does not say what it did: %v", k.Name, c)
			}
			done = done || ok && changed
		}
		if !done {
			t.Errorf("%s never changes anything", k.Name)
		}
	}
}

func TestTheSameSeedGivesTheSameState(t *testing.T) {
	for seed := range uint64(100) {
		a, b := parse(t), parse(t)
		Mutate(a, seed, DefaultSteps, noon, nil)
		Mutate(b, seed, DefaultSteps, noon, nil)
		if !bytes.Equal(document.Format(a), document.Format(b)) {
			t.Fatalf("seed %d gives two states", seed)
		}
	}
}

func TestAStepLeftOutLeavesTheOthersAsTheyWere(t *testing.T) {
	for seed := range uint64(100) {
		all := Mutate(parse(t), seed, DefaultSteps, noon, nil)
		if len(all) < 2 {
			continue
		}
		keep := make([]bool, DefaultSteps)
		keep[0] = true
		less := Mutate(parse(t), seed, DefaultSteps, noon, keep)
		if len(less) != 1 || less[0] != all[0] {
			t.Errorf("seed %d: first of %v is %v alone", seed, all, less)
		}
	}
}

func TestMostStatesAreValid(t *testing.T) {
	const states = 300
	valid := 0
	for seed := range uint64(states) {
		root := parse(t)
		Mutate(root, seed, DefaultSteps, noon, nil)
		if _, err := schema.Upgrade(root, schema.Newest()); err == nil {
			valid++
		}
	}
	if valid < states*9/10 {
		t.Errorf("%d of %d states are valid, nine of ten should be", valid, states)
	}
}
