// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sim

import (
	"bytes"
	"slices"
	"testing"
	"time"
)

const ms = time.Millisecond

func TestEventsRunInOrderOfTimeThenOfMaking(t *testing.T) {
	w := New(1)
	var got []int
	for i, d := range []time.Duration{3 * ms, ms, 2 * ms, ms, -ms} {
		w.After(d, func() {
			got = append(got, i)
			if i == 1 {
				w.After(0, func() { got = append(got, 10) })
			}
		})
	}
	if w.Run(10*ms, nil) {
		t.Error("nobody asked to stop")
	}
	if want := []int{4, 1, 3, 10, 2, 0}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if w.Now() != 10*ms || w.Steps() != 6 {
		t.Errorf("%v after %d events", w.Now(), w.Steps())
	}
}

func TestRunStopsWhenAsked(t *testing.T) {
	w := New(1)
	n := 0
	for i := range 5 {
		w.After(time.Duration(i)*ms, func() { n++ })
	}
	if !w.Run(time.Second, func() bool { return n == 3 }) || w.Now() != 2*ms {
		t.Errorf("stopped at %v after %d events", w.Now(), n)
	}
}

// play runs a little traffic and gives a hash of it.
func play(seed uint64) uint64 {
	w := New(seed)
	hosts := []*Host{NewHost(w), NewHost(w), NewHost(w)}
	n := NewNetwork(w, hosts)
	n.SetFaults(Faults{Loss: 0.2, Duplicate: 0.2, MinDelay: ms, MaxDelay: 3 * ms, Late: 0.1, LateBy: 20 * ms})
	n.Recv = func(from, to int, packet []byte) { w.Mix(uint64(from)<<32 | uint64(to)<<16 | uint64(packet[0])) }
	for _, h := range hosts {
		h.Start()
	}
	for i := range 100 {
		w.After(time.Duration(i)*ms, func() { n.Send(i%3, (i+1)%3, []byte{byte(i)}) })
	}
	w.Run(time.Second, nil)
	return w.Hash()
}

func TestOneSeedGivesOneRun(t *testing.T) {
	first, again, other := play(1), play(1), play(2)
	if first != again || first == other {
		t.Error("runs do not follow their seeds")
	}
}

func TestACrashDropsWhatWasToHappen(t *testing.T) {
	w := New(1)
	h := NewHost(w)
	var got []string
	note := func(s string) func() { return func() { got = append(got, s) } }
	h.Do(note("down"))
	h.Start()
	h.After(ms, note("before"))
	h.After(5*ms, note("lost"))
	w.After(2*ms, h.Crash)
	w.After(3*ms, h.Start)
	w.After(3*ms, func() { h.After(ms, note("after")) })
	w.Run(10*ms, nil)
	if want := []string{"before", "after"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestAPausedHostCatchesUpInOrder(t *testing.T) {
	w := New(1)
	h := NewHost(w)
	h.Start()
	var got []time.Duration
	for i := range 4 {
		h.After(time.Duration(i+1)*ms, func() { got = append(got, w.Now()) })
	}
	w.After(1500*time.Microsecond, h.Pause)
	w.After(3500*time.Microsecond, h.Resume)
	w.Run(10*ms, nil)
	if want := []time.Duration{ms, 3500 * time.Microsecond, 3500 * time.Microsecond, 4 * ms}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	h.Crash()
	h.Pause()
	if h.Paused() || h.Up() {
		t.Error("a crashed host is paused")
	}
}

func TestWhatWaitsForAPausedHostIsBounded(t *testing.T) {
	w := New(1)
	h := NewHost(w)
	h.Start()
	h.Pause()
	n := 0
	for range maxPaused + 100 {
		h.Do(func() { n++ })
	}
	h.Resume()
	if n != maxPaused {
		t.Errorf("%d events", n)
	}
}

func TestCutsAndPartitionsStopPackets(t *testing.T) {
	w := New(1)
	hosts := []*Host{NewHost(w), NewHost(w), NewHost(w)}
	for _, h := range hosts {
		h.Start()
	}
	n := NewNetwork(w, hosts)
	var got []int
	n.Recv = func(from, to int, _ []byte) { got = append(got, from*10+to) }
	all := func() []int {
		got = nil
		for from := range hosts {
			for to := range hosts {
				if from != to {
					n.Send(from, to, nil)
				}
			}
		}
		w.Run(w.Now()+ms, nil)
		slices.Sort(got)
		return got
	}
	n.Cut(0, 1, true)
	if want := []int{2, 10, 12, 20, 21}; !slices.Equal(all(), want) || n.Reachable(1, 0) || !n.Reachable(1, 2) {
		t.Errorf("one way cut: %v", got)
	}
	n.Partition([]int{0, 1, 1})
	if want := []int{12, 21}; !slices.Equal(all(), want) {
		t.Errorf("partition: %v", got)
	}
	n.Heal()
	n.Drop = func(from, _ int, _ []byte) bool { return from == 2 }
	if want := []int{1, 2, 10, 12}; !slices.Equal(all(), want) {
		t.Errorf("adversary: %v", got)
	}
	if n.Sent != 18 || n.Lost != 7 {
		t.Errorf("%d sent, %d lost", n.Sent, n.Lost)
	}
}

func TestFaultsHappenAboutAsOftenAsAsked(t *testing.T) {
	w := New(1)
	hosts := []*Host{NewHost(w), NewHost(w)}
	hosts[1].Start()
	n := NewNetwork(w, hosts)
	n.SetFaults(Faults{Loss: 0.1, Duplicate: 0.2, MinDelay: ms, MaxDelay: 2 * ms})
	count := 0
	n.Recv = func(int, int, []byte) { count++ }
	for range 10000 {
		n.Send(0, 1, nil)
	}
	w.Run(time.Second, nil)
	if want := 10000 * 9 / 10 * 12 / 10; count < want*95/100 || count > want*105/100 {
		t.Errorf("%d packets, want about %d", count, want)
	}
}

func TestTimersMayRunFirstAfterAPause(t *testing.T) {
	w := New(1)
	h := NewHost(w)
	h.Start()
	var got []string
	h.After(2*ms, func() { got = append(got, "timer") })
	h.Pause()
	w.After(ms, func() { h.Do(func() { got = append(got, "packet") }) })
	w.Run(3*ms, nil)
	h.ResumeTimersFirst()
	if want := []string{"timer", "packet"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestAClockRunsFastAndFromItsOwnOrigin(t *testing.T) {
	w := New(1)
	h := NewHost(w)
	h.Start()
	h.SetClock(Clock{Origin: time.Hour, Drift: 100_000}) // a tenth fast
	var at time.Duration
	h.After(100*ms, func() { at = w.Now() })
	w.Run(time.Second, nil)
	if h.Now() != time.Hour+1100*ms || at != 90*ms {
		t.Errorf("it shows %v, a timer of 100 ms took %v", h.Now(), at)
	}
}

func TestPacketsAreCorruptedTooLargeOrTooMany(t *testing.T) {
	w := New(1)
	hosts := []*Host{NewHost(w), NewHost(w)}
	hosts[1].Start()
	n := NewNetwork(w, hosts)
	packet := bytes.Repeat([]byte{7}, 100)
	intact, changed := 0, 0
	n.Recv = func(_, _ int, b []byte) {
		if bytes.Equal(b, packet) {
			intact++
		} else {
			changed++
		}
	}
	n.SetFaults(Faults{Corrupt: 0.5})
	for range 1000 {
		n.Send(0, 1, packet)
	}
	w.Run(time.Second, nil)
	if changed < 400 || intact < 400 || !bytes.Equal(packet, bytes.Repeat([]byte{7}, 100)) {
		t.Errorf("%d changed, %d intact", changed, intact)
	}
	n.SetFaults(Faults{MaxSize: 99})
	n.Send(0, 1, packet)
	n.SetFaults(Faults{Rate: 100_000, MaxWait: 10 * ms})
	intact = 0
	for range 100 {
		n.Send(0, 1, packet) // each takes a millisecond
	}
	w.Run(2*time.Second, nil)
	if intact < 10 || intact > 12 {
		t.Errorf("%d packets passed a line that holds ten", intact)
	}
}
