// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package ringbench

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// oursBare builds this stack's daemon and tools.
func oursBare(tb testing.TB) kind {
	tb.Helper()
	bin := tb.TempDir()
	for _, p := range []string{"../../cmd/messagingd", "../../cmd/quorate", "./viewwatch", "./cpgbench"} {
		cmd := exec.CommandContext(tb.Context(), "go", "build", "-o", bin+"/", p)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		must(tb, cmd)
	}
	return kind{
		name: "quorate", argv: []string{bin + "/messagingd"}, server: "messagingd",
		cmap: []string{bin + "/quorate", "corosync-cmapctl"}, quorum: []string{bin + "/quorate", "corosync-quorumtool"},
		watch: bin + "/viewwatch", bench: bin + "/cpgbench",
		conf: func(text string) string { return text },
	}
}

// peerBare finds corosync in $BENCH_PEER; nil if there is none.
func peerBare(tb testing.TB) *kind {
	tb.Helper()
	image := os.Getenv("BENCH_PEER")
	if image == "" {
		tb.Log("only this stack is measured: $BENCH_PEER names no other")
		return nil
	}
	bin := tb.TempDir()
	for name, source := range map[string]string{"viewwatch": "peer/viewwatch.c", "cpgbench": "../../../shared/bench/cpgbench.c"} {
		must(tb, exec.CommandContext(tb.Context(), "gcc", "-O2", "-o", filepath.Join(bin, name), source, "-lcpg", "-lquorum"))
	}
	return &kind{
		name: "corosync", argv: []string{filepath.Join(image, "usr/sbin/corosync"), "-f"}, server: "corosync",
		cmap: []string{filepath.Join(image, "usr/sbin/corosync-cmapctl")}, quorum: []string{filepath.Join(image, "usr/sbin/corosync-quorumtool")},
		watch: bin + "/viewwatch", bench: bin + "/cpgbench",
		env:  []string{"LD_LIBRARY_PATH=" + filepath.Join(image, "usr/lib/x86_64-linux-gnu")},
		conf: func(text string) string { return text },
	}
}
