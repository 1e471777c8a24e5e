// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package recorder

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func state(s string) func([]byte) []byte {
	return func(b []byte) []byte { return append(b, s...) }
}

// event is the form of an event with a body.
func event(head, body string) func([]byte) ([]byte, []byte) {
	return func(b []byte) ([]byte, []byte) { return append(b, head...), []byte(body) }
}

// The last events stay, in order, with their times; a file has the state that
// was true before the first of them.
func TestARecordingHoldsTheNewestEvents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := New(MinSegment)
		type past struct {
			at   time.Duration
			text string
		}
		var all []past
		now := time.Hour
		for i := range rapid.IntRange(0, 400).Draw(t, "events") {
			now += time.Duration(rapid.Int64Range(-5, 1e9).Draw(t, "gap"))
			if r.Due() {
				r.Begin(now, state(fmt.Sprint(len(all))))
			}
			head := strings.Repeat("x", rapid.IntRange(0, 100).Draw(t, "size"))
			body := strings.Repeat("y", rapid.SampledFrom([]int{0, 1, leastKept - 1, leastKept, 2 * leastKept}).Draw(t, "body"))
			all = append(all, past{now, head + body})
			r.Event(now, event(head, body), uint32(i))
		}
		rec, err := Parse(r.Dump(Header{Core: "c", Node: 7, Program: "p", Wall: time.Unix(5, 6), Why: "w"}, []byte("end")))
		if err != nil {
			t.Fatal(err)
		}
		if h := rec.Header; h.Core != "c" || h.Node != 7 || h.Program != "p" || !h.Wall.Equal(time.Unix(5, 6)) || h.Why != "w" || string(rec.Final) != "end" {
			t.Fatalf("header %+v", h)
		}
		next, bytes := len(all), 0
		for _, s := range slices.Backward(rec.Segments) {
			for _, e := range slices.Backward(s.Records) {
				next--
				bytes += len(e.Event) + minRecord
				if e.At != all[next].at || string(e.Event) != all[next].text || e.Sum != uint32(next) {
					t.Fatalf("event %d is %+v", next, e)
				}
			}
			if string(s.State) != fmt.Sprint(next) {
				t.Fatalf("the state before event %d is %q", next, s.State)
			}
		}
		if next > 0 && bytes < MinSegment/2 || bytes > 3*MinSegment {
			t.Fatalf("%d of %d events dropped, %d bytes stay", next, len(all), bytes)
		}
		if from, n := r.Span(); int(n) != len(all)-next || len(all) > 0 && from != rec.Segments[0].At {
			t.Fatalf("span %v, %d events", from, n)
		}
	})
}

func TestANilRecorderRecordsNothing(t *testing.T) {
	var r *Recorder
	if r.Due() {
		t.Error("it wants a state")
	}
	r.Event(0, nil, 0)
	if _, n := r.Span(); n != 0 {
		t.Error("it has events")
	}
	if rec, err := Parse(r.Dump(Header{}, nil)); err != nil || len(rec.Segments) != 0 {
		t.Errorf("its file: %v", err)
	}
}

func sample() []byte {
	r := New(0)
	r.Begin(time.Second, state("state"))
	for i := range 20 {
		r.Event(time.Second+time.Duration(i), event(fmt.Sprint("event ", i), strings.Repeat("b", 50*i)), 3)
	}
	return r.Dump(Header{Core: "ring", Node: 1, Program: "p", Why: "w"}, []byte("final"))
}

// Whichever byte is changed, and wherever the file ends, it is refused.
func TestAChangedOrCutFileIsRefused(t *testing.T) {
	good := sample()
	for i := range good {
		for _, mask := range []byte{1, 0x80, 0xff} {
			b := bytes.Clone(good)
			b[i] ^= mask
			if _, err := Parse(b); !errors.Is(err, ErrCutOff) && !errors.Is(err, ErrNoRecording) {
				t.Fatalf("byte %d changed: %v", i, err)
			}
		}
		if _, err := Parse(good[:i]); !errors.Is(err, ErrCutOff) && !errors.Is(err, ErrNoRecording) {
			t.Fatalf("cut off after %d bytes: %v", i, err)
		}
	}
	if _, err := Read(bytes.NewReader([]byte("ELF and so on, not ours"))); !errors.Is(err, ErrNoRecording) {
		t.Errorf("another file: %v", err)
	}
	if _, err := Read(bytes.NewReader(good)); err != nil {
		t.Errorf("the file itself: %v", err)
	}
}

// A huge message is recorded, and its memory is given back when it is past.
func TestAHugeEventDoesNotStayForEver(t *testing.T) {
	r := New(MinSegment)
	huge := make([]byte, 100*MinSegment)
	add := func(now time.Duration, b []byte) {
		if r.Due() {
			r.Begin(now, state("state"))
		}
		r.Event(now, func(to []byte) ([]byte, []byte) { return append(to, b[:len(b)/2]...), b[len(b)/2:] }, 0)
	}
	add(1, huge)
	if rec, err := Parse(r.Dump(Header{}, nil)); err != nil || len(rec.Segments[0].Records[0].Event) != len(huge) {
		t.Errorf("the event is not there: %v", err)
	}
	for i := range 40 {
		add(time.Duration(i), make([]byte, MinSegment/4))
	}
	n := cap(r.old.records) + cap(r.new.records)
	for _, s := range []segment{r.old, r.new} {
		for _, k := range s.bodies[:cap(s.bodies)] {
			n += len(k.body)
		}
	}
	if n > 2*(maxSlack+1)*MinSegment {
		t.Errorf("%d bytes are kept for segments of %d", n, MinSegment)
	}
}

func BenchmarkEvent(b *testing.B) {
	r := New(0)
	body := make([]byte, 1100)
	add := func(b []byte) ([]byte, []byte) { return append(b, 'h'), body }
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for i := range b.N {
		if r.Due() {
			r.Begin(time.Duration(i), state("state"))
		}
		r.Event(time.Duration(i), add, 1)
	}
}

func TestALargeStateDoesNotMakeASegmentGrowWithoutEnd(t *testing.T) {
	r := New(MinSegment)
	r.Begin(0, func(b []byte) []byte { return append(b, make([]byte, 100*MinSegment)...) })
	events := 0
	for ; !r.Due(); events++ {
		if events > 3*MinSegment/64 {
			t.Fatalf("after %d events of 64 bytes a segment of %d bytes is not full", events, MinSegment)
		}
		r.Event(time.Duration(events), func(b []byte) ([]byte, []byte) { return append(b, make([]byte, 64)...), nil }, 0)
	}
	if events < MinSegment/64 {
		t.Fatalf("full after %d events: the state is copied all the time", events)
	}
}
