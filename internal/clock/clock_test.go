// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package clock

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestBoottimeNeverGoesBack(t *testing.T) {
	c := Boottime()
	last := c.Now()
	for range 1000 {
		now := c.Now()
		if now < last {
			t.Fatalf("%v after %v", now, last)
		}
		last = now
	}
}

func TestRuntimeFollowsTheBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := Runtime()
		<-c.NewTimer(3 * time.Second).C()
		if got := c.Now(); got != 3*time.Second {
			t.Errorf("Now is %v after a timer of 3s", got)
		}
	})
}

func TestManualCallsInOrderOfInstants(t *testing.T) {
	m := NewManual(time.Unix(0, 0))
	var got []time.Duration
	note := func() { got = append(got, m.Now()) }
	m.AfterFunc(3*time.Second, note)
	m.AfterFunc(time.Second, func() { note(); m.AfterFunc(time.Second, note) })
	stopped := m.AfterFunc(2500*time.Millisecond, note)
	if !stopped.Stop() || stopped.Stop() {
		t.Error("Stop must report true once")
	}
	m.Advance(10 * time.Second)
	want := []time.Duration{time.Second, 2 * time.Second, 3 * time.Second}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if m.Now() != 10*time.Second || !m.Wall().Equal(time.Unix(10, 0)) {
		t.Errorf("clock shows %v, %v", m.Now(), m.Wall())
	}
}

func TestManualTimerHasNoStaleValue(t *testing.T) {
	m := NewManual(time.Unix(0, 0))
	tm := m.NewTimer(time.Second)
	m.Advance(time.Second)
	tm.Reset(time.Second)
	select {
	case <-tm.C():
		t.Error("a value from before Reset")
	default:
	}
	m.Advance(time.Second)
	select {
	case <-tm.C():
	default:
		t.Error("no value after the timer ran out")
	}
}
