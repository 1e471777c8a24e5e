// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package agents

import (
	"testing"
	"time"
)

func TestExitCodesOutsideTheStandardBecomeGeneric(t *testing.T) {
	for code, want := range map[ExitCode]ExitCode{
		0: OK, 7: NotRunning, 9: FailedPromoted, 10: GenericError, 77: GenericError,
		189: GenericError, 190: Degraded, 191: DegradedPromoted, 193: GenericError, 255: GenericError, -1: GenericError,
	} {
		if got := code.Known(); got != want {
			t.Errorf("%d becomes %d, not %d", code, got, want)
		}
	}
}

func TestReadableTimes(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 20 * time.Second: "20s", time.Minute: "1m", 100 * time.Second: "1m40s",
		500 * time.Millisecond: "500ms", 1500 * time.Millisecond: "1.500s",
		25*time.Hour + time.Second: "1d1h1s",
	} {
		if got := Readable(d); got != want {
			t.Errorf("%v is %q, not %q", d, got, want)
		}
	}
}
