// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package exec

import (
	"math"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// keepToOneself makes sure once that what this process was itself given by its
// parent, apart from the standard streams, does not reach its children; what it
// opens itself never does.
var keepToOneself = sync.OnceFunc(func() {
	const firstOther = 3
	// A kernel that does not know the call passes on what it was given.
	_ = unix.CloseRange(firstOther, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC)
	// What is ignored stays ignored in a new program, what is handled does not: so
	// what this process was started to ignore (by nohup, say) is handled by doing
	// nothing.
	for _, sig := range []os.Signal{unix.SIGHUP, unix.SIGINT} { // Go handles the others
		if signal.Ignored(sig) {
			signal.Notify(make(chan os.Signal, 1), sig)
		}
	}
})

// protected tells whether this process is spared when memory runs out, which
// its children would inherit.
var protected = sync.OnceValue(func() bool {
	b, err := os.ReadFile("/proc/self/oom_score_adj")
	return err == nil && strings.TrimSpace(string(b)) != "0"
})

// beOrdinary lets a new process be killed like any other when memory runs out:
// services that an agent starts must not be spared because the daemon is.
func beOrdinary(pid int) {
	if protected() {
		// A process that has ended already needs it no more.
		_ = os.WriteFile("/proc/"+strconv.Itoa(pid)+"/oom_score_adj", []byte("0"), 0)
	}
}
