// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package clock

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/internal/invariant"
)

// Boottime returns the production clock: CLOCK_BOOTTIME, which counts the time
// that the machine was suspended. Its timers run on the kernel's monotonic
// time; after a suspend they are late by it, which the reader of Now sees.
func Boottime() Clock { return boottime{} }

type boottime struct{}

func (boottime) Now() time.Duration {
	var ts unix.Timespec
	err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts)
	invariant.Check(err == nil, "CLOCK_BOOTTIME is readable: %v", err)
	return time.Duration(ts.Nano())
}

func (boottime) Wall() time.Time { return time.Now() }

func (boottime) AfterFunc(d time.Duration, f func()) Timer { return time.AfterFunc(d, f) }

func (boottime) NewTimer(d time.Duration) ChanTimer { return runtimeTimer{time.NewTimer(d)} }
