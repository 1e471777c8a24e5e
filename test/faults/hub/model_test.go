// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package hub

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var there = Pair{0, 1}

func testFrame(payload int) []byte {
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 1}
	return UDP(mac, mac, netip.MustParseAddrPort("192.0.2.1:5405"), netip.MustParseAddrPort("192.0.2.2:5405"), bytes.Repeat([]byte{7}, payload))
}

// run sends n frames, one each millisecond.
func run(m *Model, n int, frame []byte) (out []Delivery, fates map[Fate]int) {
	fates = map[Fate]int{}
	for i := range n {
		d, fate := m.Step(time.Duration(i)*time.Millisecond, there, frame)
		out = append(out, d...)
		fates[fate]++
	}
	return out, fates
}

func TestWithoutFaultsFramesPassAtOnce(t *testing.T) {
	frame := testFrame(100)
	d, fate := NewModel(1).Step(5, there, frame)
	if diff := cmp.Diff([]Delivery{{At: 5, To: 1, Frame: frame}}, d); diff != "" || fate != Carried {
		t.Errorf("fate %s\n%s", fate, diff)
	}
}

func TestOneSeedGivesOneSchedule(t *testing.T) {
	f := Faults{Loss: 0.2, Duplicate: 0.2, Corrupt: 0.2, Truncate: 0.1, Delay: time.Millisecond, Jitter: 9 * time.Millisecond, Reorder: 0.1, Late: time.Second}
	var texts []string
	for _, seed := range []uint64{7, 7, 8} {
		m := NewModel(seed)
		m.Set(there, f)
		out, _ := run(m, 500, testFrame(100))
		texts = append(texts, fmt.Sprint(out))
	}
	if texts[0] != texts[1] {
		t.Error("the same seed gave two schedules")
	}
	if texts[0] == texts[2] {
		t.Error("two seeds gave the same schedule")
	}
}

// Each fault does about what its share says, and only to its direction.
func TestSharesAreKept(t *testing.T) {
	const n = 4000
	for _, c := range []struct {
		faults Faults
		fate   Fate
		share  float64
	}{
		{Faults{Loss: 0.3}, Lost, 0.3},
		{Faults{Duplicate: 0.5}, Doubled, 0.5},
		{Faults{Corrupt: 0.1}, Corrupted, 0.1},
		{Faults{Truncate: 0.2}, Truncated, 0.2},
		{Faults{Cut: true}, IsCut, 1},
		{Faults{MTU: 127}, TooLarge, 1},
		{Faults{MTU: 128}, TooLarge, 0},
		{Faults{Down: 100 * time.Millisecond, Up: 300 * time.Millisecond}, IsCut, 0.25},
		{Faults{Rate: 71_000}, QueueFull, 0.5},
	} {
		m := NewModel(3)
		m.Set(there, c.faults)
		_, fates := run(m, n, testFrame(100))
		if got := float64(fates[c.fate]) / n; got < c.share-0.03 || got > c.share+0.03 {
			t.Errorf("%+v: %.3f of the frames %s, want %.2f", c.faults, got, c.fate, c.share)
		}
		if _, fate := m.Step(0, Pair{1, 0}, testFrame(100)); fate != Carried {
			t.Errorf("%+v: the other direction: %s", c.faults, fate)
		}
	}
}

func TestDelayAndJitter(t *testing.T) {
	m := NewModel(1)
	m.Set(there, Faults{Delay: 10 * time.Millisecond, Jitter: 20 * time.Millisecond})
	out, _ := run(m, 1000, testFrame(10))
	overtaken := 0
	for i, d := range out {
		if held := d.At - time.Duration(i)*time.Millisecond; held < 10*time.Millisecond || held >= 30*time.Millisecond {
			t.Fatalf("frame %d was held back for %v", i, held)
		}
		if i > 0 && d.At < out[i-1].At {
			overtaken++
		}
	}
	if overtaken < 100 {
		t.Errorf("%d of 1000 frames overtook another", overtaken)
	}
	m.Set(there, Faults{Delay: 10 * time.Millisecond, Jitter: 20 * time.Millisecond, Ordered: true})
	out, _ = run(m, 1000, testFrame(10))
	for i := 1; i < len(out); i++ {
		if out[i].At < out[i-1].At {
			t.Fatalf("ordered: frame %d overtook the one before", i)
		}
	}
}

func TestRateLetsTheQueueWait(t *testing.T) {
	m := NewModel(1)
	m.Set(there, Faults{Rate: 142_000, Queue: 1420}) // one frame of 142 bytes each ms, ten wait
	var at []time.Duration
	full := 0
	for range 15 {
		d, fate := m.Step(0, there, testFrame(100))
		for _, x := range d {
			at = append(at, x.At)
		}
		if fate == QueueFull {
			full++
		}
	}
	if len(at) != 10 || at[9] != 10*time.Millisecond || full != 5 {
		t.Errorf("due %v, %d lost", at, full)
	}
}

// What is changed still has the headers that a kernel takes.
func TestChangedFramesAreValidPackets(t *testing.T) {
	m := NewModel(1)
	for _, f := range []Faults{{Corrupt: 1}, {Truncate: 1}} {
		m.Set(there, f)
		for range 200 {
			frame := testFrame(64)
			d, _ := m.Step(0, there, frame)
			got := d[0].Frame
			if bytes.Equal(got, frame) || !bytes.Equal(frame, testFrame(64)) {
				t.Fatalf("%+v: frame not changed, or the original too", f)
			}
			if p := Payload(got); p == nil || len(p) != len(got)-headers || f.Corrupt > 0 && len(p) != 64 {
				t.Fatalf("%+v: payload of %d bytes in a frame of %d", f, len(p), len(got))
			}
			if !cmp.Equal(seal(bytes.Clone(got)), got) {
				t.Fatalf("%+v: lengths or checksums are wrong", f)
			}
		}
	}
	if d, _ := m.Step(0, there, make([]byte, 60)); !bytes.Equal(d[0].Frame, make([]byte, 60)) {
		t.Error("a frame that is not UDP was changed")
	}
}
