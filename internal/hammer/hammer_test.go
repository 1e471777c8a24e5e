// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package hammer

import (
	"testing"
)

func TestInputsAreManyAndDiffer(t *testing.T) {
	seen := map[string]bool{}
	longest, shorter := 0, 0
	seed := []byte("the quick brown fox jumps over the lazy dog")
	Run(t, "FuzzNothing", func(b []byte) {
		seen[string(b)] = true
		longest = max(longest, len(b))
		if len(b) < len(seed) {
			shorter++
		}
	}, seed)
	if len(seen) < DefaultRuns/20 || longest <= len(seed) || longest > maxInput || shorter == 0 {
		t.Errorf("%d inputs, the longest has %d bytes, %d are shorter than the seed", len(seen), longest, shorter)
	}
}

func TestCorpusFilesAreRead(t *testing.T) {
	if v, ok := parse("go test fuzz v1\n[]byte(\"a\\x00\\\"b\")\n"); !ok || string(v) != "a\x00\"b" {
		t.Errorf("%q %v", v, ok)
	}
	for _, bad := range []string{"", "go test fuzz v1\n", "go test fuzz v1\nstring(\"x\")", "go test fuzz v1\n[]byte(x)"} {
		if _, ok := parse(bad); ok {
			t.Errorf("%q is taken", bad)
		}
	}
}
