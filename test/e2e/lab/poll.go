// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package lab

import (
	"testing"
	"time"
)

const pollPeriod = 50 * time.Millisecond

// Until asks again and again until check is content, and returns how long that
// took. It ends the test when the limit passes, with what check said last. It is
// the one way in which the tests wait.
func Until(t testing.TB, limit time.Duration, what string, check func() error) time.Duration {
	t.Helper()
	began := time.Now()
	for {
		err := check()
		took := time.Since(began)
		if err == nil {
			return took
		}
		if took > limit {
			t.Fatalf("%s: not within %v: %v", what, limit, err)
		}
		<-time.After(pollPeriod)
	}
}

// For asks again and again for a time and ends the test when check is not
// content at any moment of it.
func For(t testing.TB, period time.Duration, what string, check func() error) {
	t.Helper()
	for began := time.Now(); time.Since(began) < period; <-time.After(pollPeriod) {
		if err := check(); err != nil {
			t.Fatalf("%s: no more after %v of %v: %v", what, time.Since(began).Round(time.Millisecond), period, err)
		}
	}
}
