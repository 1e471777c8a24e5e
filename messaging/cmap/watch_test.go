// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package cmap

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"github.com/quorate/quorate/messaging"
)

func texts(cs []messaging.CmapChange) string {
	var out []string
	for _, c := range cs {
		out = append(out, fmt.Sprintf("%d %s=%s", c.Event, c.Entry.Key, c.Entry.Value))
	}
	return strings.Join(out, ", ")
}

func set(t testing.TB, m *Map, kv ...string) {
	t.Helper()
	for i := 0; i < len(kv); i += 2 {
		if err := m.Set(Str(kv[i], kv[i+1])); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWatchGivesThePresentThenEachChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New()
		set(t, m, "a.one", "1", "b.one", "1")
		w, err := m.Watch("a.")
		if err != nil {
			t.Fatal(err)
		}
		next := func(want string) {
			t.Helper()
			if cs, err := w.Next(t.Context()); err != nil || texts(cs) != want {
				t.Errorf("%s, %v; want %s", texts(cs), err, want)
			}
		}
		next("1 a.one=1")
		set(t, m, "a.two", "2", "b.two", "2", "a.one", "1", "a.one", "3")
		m.Delete("a.two")
		m.Delete("a.none")
		next("1 a.two=2, 2 a.one=3, 3 a.two=2")
		if err := m.Replace([]string{"a.", "b."}, []messaging.CmapEntry{Str("a.one", "3"), Str("a.new", "9")}); err != nil {
			t.Fatal(err)
		}
		next("1 a.new=9")
		if got := fmt.Sprint(m.Prefix("")); got != "[{a.new str 9} {a.one str 3}]" {
			t.Error(got)
		}
		m.DeletePrefix("a.")
		next("3 a.new=9, 3 a.one=3")
		ended := make(chan error)
		go func() {
			_, err := w.Next(context.Background())
			ended <- err
		}()
		synctest.Wait()
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; !errors.Is(err, messaging.ErrClosed) {
			t.Errorf("a waiting reader ends with %v", err)
		}
		set(t, m, "a.late", "1") // nobody watches any more
	})
}

func TestWatchOfNothingTellsSoAtOnce(t *testing.T) {
	w, err := New().Watch("none.")
	if err != nil {
		t.Fatal(err)
	}
	if cs, err := w.Next(t.Context()); err != nil || len(cs) != 0 {
		t.Errorf("%v, %v", cs, err)
	}
}

func TestWatchThatIsNotReadIsCutOff(t *testing.T) {
	m := New()
	w, err := m.Watch("")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2*maxPending + 1 {
		set(t, m, "key", fmt.Sprint(i))
	}
	for range 2 {
		if _, err := w.Next(t.Context()); !errors.Is(err, messaging.ErrCutOff) {
			t.Fatalf("%v, want %v", err, messaging.ErrCutOff)
		}
	}
	for range maxWatches - 1 {
		if _, err := m.Watch("x"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := m.Watch("x"); !errors.Is(err, ErrFull) {
		t.Errorf("watch %d: %v", maxWatches+1, err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Watch("x"); err != nil {
		t.Error(err)
	}
}

// TestReplayOfAWatchIsTheMap: who applies all changes has the map.
func TestReplayOfAWatchIsTheMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := New()
		key := rapid.SampledFrom([]string{"a.x", "a.y", "a.z", "b.x"})
		value := rapid.SampledFrom([]string{"1", "2"})
		var w *Watch
		for i := range rapid.IntRange(0, 30).Draw(t, "steps") {
			if i == 5 {
				w, _ = m.Watch("a.")
			}
			switch k, v := key.Draw(t, "key"), value.Draw(t, "value"); rapid.IntRange(0, 3).Draw(t, "step") {
			case 0, 1:
				_ = m.Set(Str(k, v))
			case 2:
				m.Delete(k)
			case 3:
				_ = m.Replace([]string{k[:2]}, []messaging.CmapEntry{Str(k, v)})
			}
		}
		if w == nil {
			return
		}
		cs, err := w.Next(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		have := New()
		for _, c := range cs {
			_, there := have.Get(c.Entry.Key)
			if there != (c.Event != messaging.CmapAdded) {
				t.Fatalf("%v of a key that is there: %v", c, there)
			}
			if c.Event == messaging.CmapDeleted {
				have.Delete(c.Entry.Key)
			} else if err := have.Set(c.Entry); err != nil {
				t.Fatal(err)
			}
		}
		if a, b := fmt.Sprint(have.Prefix("")), fmt.Sprint(m.Prefix("a.")); a != b {
			t.Fatalf("%s, want %s", a, b)
		}
	})
}
