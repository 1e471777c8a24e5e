// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package exec

import (
	"os"
	"strconv"
	"strings"
	"sync"
)

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
