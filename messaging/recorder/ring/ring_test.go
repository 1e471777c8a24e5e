// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package ring

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/internal/hammer"
	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/recorder"
	"github.com/quorate/quorate/messaging/totem"
	"github.com/quorate/quorate/messaging/totem/wire"
)

// lone records a ring of one that sends some messages.
func lone(t testing.TB, size, messages int) (*recorder.Recorder, *totem.Core) {
	t.Helper()
	core, err := totem.New(totem.DefaultConfig(1, 1))
	if err != nil {
		t.Fatal(err)
	}
	rec := recorder.New(size)
	now := time.Second
	step := func(ev totem.Event) {
		now += 7 * time.Millisecond
		Step(rec, core, now, ev)
	}
	step(&totem.Start{SavedRingSeq: 4, Durable: 9000})
	for range 30 {
		step(&totem.Timer{ID: totem.TimerJoin})
	}
	if core.State() != totem.Operational {
		t.Fatalf("no ring: %v", core.State())
	}
	for i := range messages {
		step(&totem.Submit{Body: bytes.Repeat([]byte{byte(i)}, 100)})
	}
	step(&totem.Recv{From: 2, Packet: (&wire.Join{RingSeq: 3, Proc: []messaging.NodeID{2}}).Append(nil)})
	step(&totem.SuspectDown{Nodes: []messaging.NodeID{2, 3}})
	step(&totem.SuspectCleared{Node: 3})
	step(&totem.SyncDone{})
	cfg := totem.DefaultConfig(1, 1)
	cfg.Window = 20
	step(&totem.Reconfigure{Config: cfg})
	step(&totem.ForceGather{})
	step(&totem.Persisted{Seq: 9001})
	return rec, core
}

func dump(rec *recorder.Recorder, core *totem.Core) []byte {
	return rec.Dump(recorder.Header{Core: CoreName, Node: 1, Program: "test", Wall: time.Unix(1, 0), Why: "test"}, core.AppendState(nil))
}

func parse(t testing.TB, b []byte) *recorder.Recording {
	t.Helper()
	r, err := recorder.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAReplayEndsInTheSameState(t *testing.T) {
	for _, size := range []int{0, recorder.MinSegment} {
		rec, core := lone(t, size, 300)
		r := parse(t, dump(rec, core))
		var last totem.Event
		rep, err := Replay(r, func(p Played) { last = p.Event })
		if err != nil {
			t.Fatal(err)
		}
		if rep.Core.Digest() != core.Digest() || rep.Events < 20 || (size > 0) != (rep.Segments == 2) {
			t.Errorf("segments of %d bytes: %d events in %d segments, digests %x and %x", size, rep.Events, rep.Segments, rep.Core.Digest(), core.Digest())
		}
		if p, ok := last.(*totem.Persisted); !ok || p.Seq != 9001 {
			t.Errorf("the last event is %s", totem.EventString(last))
		}
	}
}

func TestTheNewestSegmentsStay(t *testing.T) {
	rec, core := lone(t, recorder.MinSegment, 3000)
	b := dump(rec, core)
	if len(b) > 8*recorder.MinSegment {
		t.Errorf("%d bytes of segments of %d", len(b), recorder.MinSegment)
	}
	if from, events := rec.Span(); from < 10*time.Second || events == 0 {
		t.Errorf("%d events since %v", events, from)
	}
}

func TestAReplayThatDiffersSaysWhere(t *testing.T) {
	rec, core := lone(t, 0, 10)
	r := parse(t, dump(rec, core))
	r.Segments[0].Records[5].Sum++
	_, err := Replay(r, nil)
	if !errors.Is(err, ErrDiffers) || !strings.Contains(err.Error(), "segment 1, event 6 at ") {
		t.Errorf("a changed answer: %v", err)
	}
	r = parse(t, dump(rec, core))
	r.Final = bytes.Clone(r.Final)
	r.Final[len(r.Final)-1] ^= 1
	if _, err := Replay(r, nil); !errors.Is(err, ErrDiffers) {
		t.Errorf("a changed end: %v", err)
	}
	r = parse(t, dump(rec, core))
	r.Segments[0].State = bytes.Clone(r.Segments[0].State)[:20]
	if _, err := Replay(r, nil); !errors.Is(err, totem.ErrArchive) {
		t.Errorf("a state that is cut off: %v", err)
	}
	r.Header.Core = "cib"
	if _, err := Replay(r, nil); !errors.Is(err, ErrCore) {
		t.Errorf("another core: %v", err)
	}
}

func TestTextNamesEachEvent(t *testing.T) {
	rec, core := lone(t, 0, 1)
	var lines []string
	for _, r := range parse(t, dump(rec, core)).Segments[0].Records {
		lines = append(lines, Text(r))
	}
	all := strings.Join(lines, "\n")
	for _, want := range []string{"start after ring seq 4", "timer join", "submit \"", "recv from 2 join proc=[2]", "suspect [2 3]", "clear 3", "sync done", "reconfigure token 1s window 20", "persisted ring seq 9001"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is missing in:\n%s", want, all)
		}
	}
	if s := Text(recorder.Record{Event: []byte{99}}); !strings.Contains(s, "kind 99") {
		t.Errorf("an unknown event: %s", s)
	}
}

// The event in whose step the daemon died ends the recording.
func TestTheEventOfAPanicIsRecorded(t *testing.T) {
	rec, core := lone(t, 0, 1)
	Panicked(rec, time.Hour, &totem.Timer{ID: totem.TimerJoin})
	r := parse(t, dump(rec, core))
	records := r.Segments[0].Records
	if last := records[len(records)-1]; Text(last) != "timer join" || last.At != time.Hour {
		t.Errorf("the last event is %s at %v", Text(last), last.At)
	}
}

// FuzzReplay plays recordings whose state and events are changed.
func FuzzReplay(f *testing.F) {
	rec, core := lone(f, 0, 3)
	r := parse(f, dump(rec, core))
	f.Add(r.Segments[0].State, []byte{3, 3})
	f.Add(r.Final, r.Segments[0].Records[len(r.Segments[0].Records)-5].Event)
	f.Add(r.Final, []byte{3, 0})
	f.Fuzz(func(t *testing.T, state, event []byte) { replays(t, state, event) })
}

func replays(t testing.TB, state, event []byte) {
	t.Helper()
	rec := &recorder.Recording{Header: recorder.Header{Core: CoreName}}
	s := recorder.Segment{State: state}
	for i := range 4 {
		s.Records = append(s.Records, recorder.Record{At: time.Duration(i) * time.Second, Event: event})
	}
	rec.Segments = []recorder.Segment{s}
	rep, _ := Replay(rec, nil)
	if rep.Core == nil {
		return
	}
	again, err := totem.Restore(rep.Core.AppendState(nil))
	if err == nil && again.Digest() != rep.Core.Digest() {
		t.Error("a restored state differs from itself")
	}
}

func TestReplayHammered(t *testing.T) {
	rec, core := lone(t, 0, 3)
	r := parse(t, dump(rec, core))
	events := r.Segments[0].Records
	i := 0
	hammer.Run(t, "none", func(state []byte) {
		i++
		replays(t, state, events[i%len(events)].Event)
	}, r.Final, r.Segments[0].State)
}

// FuzzEvent decodes events.
func FuzzEvent(f *testing.F) {
	rec, core := lone(f, 0, 1)
	for _, r := range parse(f, dump(rec, core)).Segments[0].Records {
		f.Add(r.Event)
	}
	f.Fuzz(func(t *testing.T, b []byte) { decodesEvent(t, b) })
}

func decodesEvent(t testing.TB, b []byte) {
	t.Helper()
	ev, err := totem.DecodeEvent(b)
	if err != nil {
		return
	}
	again, err := totem.DecodeEvent(totem.AppendEvent(nil, ev))
	if err != nil || totem.EventString(again) != totem.EventString(ev) {
		t.Errorf("%s comes back as %v, %v", totem.EventString(ev), again, err)
	}
}

func TestEventHammered(t *testing.T) {
	rec, core := lone(t, 0, 1)
	var seeds [][]byte
	for _, r := range parse(t, dump(rec, core)).Segments[0].Records {
		seeds = append(seeds, r.Event)
	}
	hammer.Run(t, "FuzzEvent", func(b []byte) { decodesEvent(t, b) }, seeds...)
}

// FuzzParse reads files whose checksum is right. The seeds are short: each find
// of a long input is made short first, which takes a minute of the fuzzing.
func FuzzParse(f *testing.F) {
	rec := recorder.New(0)
	for _, text := range []string{"abc", "d"} {
		rec.Begin(time.Second, func(b []byte) []byte { return append(b, text...) })
		rec.Event(2*time.Second, func(b []byte) (head, body []byte) { return append(b, 3), []byte{3} }, 7)
		rec.Event(time.Second, func(b []byte) (head, body []byte) { return b, nil }, 8)
	}
	for _, r := range []*recorder.Recorder{nil, rec} {
		b := r.Dump(recorder.Header{Core: CoreName, Node: 1, Why: "x", Wall: time.Unix(1, 0)}, []byte("end"))
		f.Add(b[:len(b)-4])
	}
	f.Fuzz(func(t *testing.T, b []byte) { parses(t, b) })
}

func parses(t testing.TB, b []byte) {
	t.Helper()
	b = binary.LittleEndian.AppendUint32(bytes.Clone(b), crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	r, err := recorder.Parse(b)
	if err != nil {
		return
	}
	for _, s := range r.Segments {
		for _, e := range s.Records {
			if len(e.Event) > len(b) {
				t.Error("an event larger than the file")
			}
		}
	}
}

func TestParseHammered(t *testing.T) {
	rec, core := lone(t, recorder.MinSegment, 60)
	b := dump(rec, core)
	hammer.Run(t, "FuzzParse", func(b []byte) { parses(t, b) }, b[:len(b)-4])
}

// bench sends messages of a kibibyte through a ring of one.
func bench(b *testing.B, rec *recorder.Recorder) {
	_, core := lone(b, 0, 0)
	now := time.Hour
	b.ReportAllocs()
	for b.Loop() {
		now += time.Microsecond
		Step(rec, core, now, &totem.Submit{Body: make([]byte, 1024)})
	}
}

func BenchmarkStep(b *testing.B)         { bench(b, nil) }
func BenchmarkStepRecorded(b *testing.B) { bench(b, recorder.New(0)) }
