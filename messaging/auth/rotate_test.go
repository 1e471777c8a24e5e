// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package auth

import (
	"bytes"
	"errors"
	"testing"

	"pgregory.net/rapid"
)

func keyOf(t testing.TB, fill byte) Key {
	t.Helper()
	k, err := NewKey(bytes.Repeat([]byte{fill}, DefaultKey), "c")
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestKeyIsChangedWithoutAPacketRefused(t *testing.T) {
	a, b := newGuard(t, 1, 1, "c"), newGuard(t, 2, 1, "c")
	shake(t, a, b)
	next := keyOf(t, 2)
	both := func(when string) {
		t.Helper()
		for _, x := range [][2]*Guard{{a, b}, {b, a}} {
			if o, err := open(x[1], seal(t, x[0], 0, "m")); err != nil || !o.Proven || string(o.Plain) != "m" {
				t.Errorf("%s: %v, %v", when, o, err)
			}
		}
	}
	both("before")
	before := seal(t, a, 2, "captured")
	if _, err := open(b, before); err != nil {
		t.Fatal(err)
	}
	a.Stage(next)
	both("one staged")
	b.Stage(next)
	both("both staged")
	late := seal(t, a, 2, "late")
	if err := a.Switch(next); err != nil {
		t.Fatal(err)
	}
	both("one switched")
	if err := b.Switch(next); err != nil {
		t.Fatal(err)
	}
	both("both switched")
	if o, err := open(b, late); err != nil || string(o.Plain) != "late" {
		t.Errorf("a packet of before the switch, late: %v, %v", o, err)
	}
	_, err := open(b, before)
	wantReason(t, err, Replay)
	old := seal(t, newGuard(t, 3, 1, "c"), 2, "x")
	a.Retire()
	b.Retire()
	both("retired")
	_, err = open(b, old)
	wantReason(t, err, OtherCluster)
	if r, _ := errors.AsType[*Refusal](err); r.Cluster != keyOf(t, 1).ID() {
		t.Error("the refusal does not name the key")
	}
	if a.Accepts() != 1 || a.keys[0].root == nil || a.keys[0].cluster != next.cluster {
		t.Errorf("%d keys are left", a.Accepts())
	}
}

func TestStagedKeyIsForgotten(t *testing.T) {
	a, b := newGuard(t, 1, 1, "c"), newGuard(t, 2, 1, "c")
	shake(t, a, b)
	b.Stage(keyOf(t, 2))
	b.Stage(keyOf(t, 3)) // another attempt
	if b.Accepts() != 2 {
		t.Errorf("%d keys are accepted, want 2", b.Accepts())
	}
	b.Retire()
	other := newGuard(t, 1, 3, "c")
	_, err := open(b, helloOf(t, other, 2))
	wantReason(t, err, OtherCluster)
	if _, err := open(b, seal(t, a, 2, "m")); err != nil {
		t.Error(err)
	}
	b.Stage(keyOf(t, 1)) // the present one: nothing to do
	if b.Accepts() != 1 {
		t.Errorf("%d keys are accepted, want 1", b.Accepts())
	}
}

// TestNoNonceTwiceUnderAKey: in any order of changes, back and forth, no packet
// repeats key, epoch and counter of another.
func TestNoNonceTwiceUnderAKey(t *testing.T) {
	keys := []Key{keyOf(t, 1), keyOf(t, 2), keyOf(t, 3)}
	rapid.Check(t, func(rt *rapid.T) {
		g := newGuard(t, 1, 1, "c")
		seen := map[[16]byte]bool{}
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			switch k := keys[rapid.IntRange(0, 2).Draw(rt, "key")]; rapid.IntRange(0, 3).Draw(rt, "step") {
			case 0:
				g.Stage(k)
			case 1:
				g.Stage(k)
				if err := g.Switch(k); err != nil {
					rt.Fatal(err)
				}
			case 2:
				g.Retire()
			case 3:
				p := seal(t, g, 0, "x")
				var id [16]byte
				copy(id[:8], p[4:12])
				copy(id[8:], p[20:28])
				if seen[id] {
					rt.Fatal("a nonce came twice")
				}
				seen[id] = true
				if n := g.Accepts(); n < 1 || n > maxKeys {
					rt.Fatalf("%d keys are accepted", n)
				}
			}
		}
	})
}
