// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package peer_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/quorate/quorate/test/bench"
)

const root = "../../.."

// real is the program to compare with.
func real(b *testing.B) string {
	b.Helper()
	path := os.Getenv("QUORATE_REAL_SIMULATE")
	if path == "" {
		found, err := exec.LookPath("crm_simulate")
		if err != nil {
			b.Skip("no crm_simulate to compare with: neither QUORATE_REAL_SIMULATE nor PATH names one")
		}
		path = found
	}
	version, err := exec.CommandContext(b.Context(), path, "--version").CombinedOutput()
	if err != nil || bytes.Contains(version, []byte("Quorate")) {
		b.Skipf("%s is no crm_simulate to compare with: %s", path, version)
	}
	return path
}

// ours builds our program under the tool's name.
func ours(b *testing.B) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "crm_simulate")
	cmd := exec.CommandContext(b.Context(), "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, "./cmd/quorate")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	return path
}

// usage is what runs of a program took.
type usage struct {
	wall, cpu time.Duration // sums
	rss       int64         // the most of one run, KiB
}

// run runs a program once.
func (u *usage) run(b *testing.B, program string, args ...string) {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), program, args...)
	cmd.Env = append(os.Environ(), "CIB_shadow_dir="+b.TempDir())
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	begin := time.Now()
	if err := cmd.Run(); err != nil {
		b.Fatalf("%s: %v\n%s", program, err, complaint.Bytes())
	}
	u.wall += time.Since(begin)
	u.cpu += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	used, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		b.Fatal("the system does not tell what a process used")
	}
	var own syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
		b.Fatal(err)
	}
	if used.Maxrss <= own.Maxrss {
		b.Fatalf("%s used no more memory (%d KiB) than this process (%d KiB): it cannot be told", program, used.Maxrss, own.Maxrss)
	}
	u.rss = max(u.rss, used.Maxrss)
}

// compare runs both programs in turns and reports how they compare.
func compare(b *testing.B, option string, cases []bench.Case) {
	theirs, mine := real(b), ours(b)
	for _, c := range cases {
		b.Run(c.Name, func(b *testing.B) {
			file := c.Generate(b, root)
			var their, our usage
			runs := 0
			for b.Loop() {
				our.run(b, mine, option, "-x", file)
				their.run(b, theirs, option, "-x", file)
				runs++
			}
			b.ReportMetric(their.wall.Seconds()/our.wall.Seconds(), "x-faster")
			b.ReportMetric(their.cpu.Seconds()/our.cpu.Seconds(), "x-less-cpu")
			b.ReportMetric(float64(our.rss)/float64(their.rss), "rss-ratio")
			b.ReportMetric(our.wall.Seconds()/float64(runs), "our-s/run")
			b.ReportMetric(their.wall.Seconds()/float64(runs), "their-s/run")
			b.ReportMetric(float64(our.rss)/1024, "our-MiB")
			b.ReportMetric(float64(their.rss)/1024, "their-MiB")
			b.ReportMetric(0, "ns/op") // of both together: means nothing
		})
	}
}

// BenchmarkRun compares the decision: status, decision, summary.

func BenchmarkRun(b *testing.B) { compare(b, "--run", bench.Cases) }

// BenchmarkSimulate compares also carrying the transition out. It takes the real
// one a minute and more already where the decision takes half a second.
func BenchmarkSimulate(b *testing.B) { compare(b, "--simulate", bench.Cases[:2]) }
