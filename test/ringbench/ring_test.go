// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package ringbench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/quorate/quorate/test/e2e/lab"
)

func TestMain(m *testing.M) {
	lab.Reap()
	os.Exit(m.Run())
}

// A stack is what is measured.
type stack struct {
	name   string
	image  string // folder to lay over the machines' root, "" for what make install gives
	unit   string
	conf   string // totem section beyond version and name
	server string // name of the daemon's process
	build  func(b *testing.B, to string)
}

func ours() stack {
	return stack{
		name: "quorate", unit: "quorate-messagingd.service", conf: "transport: udpu", server: "messagingd",
		build: func(b *testing.B, to string) {
			cmd := exec.CommandContext(b.Context(), "go", "build", "-o", to, "./cpgbench")
			cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
			must(b, cmd)
		},
	}
}

// peers gives corosync in its two forms where it is to be had.
func peers(b *testing.B) []stack {
	image := os.Getenv("BENCH_PEER")
	if image == "" {
		b.Log("only this stack is measured: $BENCH_PEER names no other")
		return nil
	}
	source, err := filepath.Abs("../../../shared/bench/cpgbench.c")
	if err == nil {
		_, err = os.Stat(source)
	}
	if err != nil {
		b.Logf("only this stack is measured: %v", err)
		return nil
	}
	build := func(b *testing.B, to string) {
		must(b, exec.CommandContext(b.Context(), "gcc", "-O2", "-o", to, source, "-lcpg"))
	}
	plain := stack{
		name: "corosync", image: image, unit: "corosync.service", server: "corosync", build: build,
		conf: "transport: knet\n\tcrypto_cipher: none\n\tcrypto_hash: none",
	}
	sealed := plain
	sealed.name, sealed.conf = "corosync-aes256", "transport: knet\n\tcrypto_cipher: aes256\n\tcrypto_hash: sha256"
	return []stack{plain, sealed}
}

func must(tb testing.TB, cmd *exec.Cmd) {
	tb.Helper()
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("%s: %v\n%s", cmd, err, out)
	}
}

// A ring is a stack that runs.
type ring struct {
	stack
	nodes []*lab.Node
}

const program = "/usr/local/bin/cpgbench"

// form boots nodes with a stack on them and waits for the ring.
func form(b *testing.B, s stack, nodes int) *ring {
	b.Helper()
	l, err := lab.Start(b.Context(), lab.Options{Nodes: nodes, Image: s.image, Log: b.Logf})
	if err != nil {
		b.Fatal(err)
	}
	r := &ring{stack: s, nodes: l.Nodes()}
	b.Cleanup(func() { _ = l.Down() })
	key := string(lab.NewKey())
	conf := strings.Replace(lab.CorosyncConf(nodes), "transport: udpu", s.conf, 1)
	bin := filepath.Join(b.TempDir(), "cpgbench")
	s.build(b, bin)
	text, err := os.ReadFile(bin)
	if err != nil {
		b.Fatal(err)
	}
	var g errgroup.Group
	for _, n := range r.nodes {
		if err := errors.Join(n.WriteFile("/etc/corosync/corosync.conf", 0o644, conf),
			n.WriteFile("/etc/corosync/authkey", 0o400, key), n.WriteFile(program, 0o755, string(text))); err != nil {
			b.Fatal(err)
		}
		g.Go(func() error { return n.Exec(b.Context(), "systemctl", "start", s.unit).Err() })
	}
	if err := g.Wait(); err != nil {
		b.Fatal(err)
	}
	lab.Until(b, 30*time.Second, "a quorate ring", func() error {
		for _, n := range r.nodes {
			out := n.Exec(b.Context(), "corosync-quorumtool", "-s")
			if !strings.Contains(out.Stdout, fmt.Sprintf("Nodes:            %d", nodes)) || !strings.Contains(out.Stdout, "Quorate:          Yes") {
				return errors.New(out.String())
			}
		}
		return nil
	})
	return r
}

// A figure is what a run of the clients gave; the slowest node counts.
type figure struct {
	Msgs, MB  float64
	Delivered int
	Order     string
	LatUS     struct{ P50, P99 float64 } `json:"lat_us"`
	cpu       time.Duration              // of all daemons
}

// measure has each node take its role: "one" sends from node1 alone, "all" from
// each, "lat" one message at a time from node1.
func (r *ring) measure(b *testing.B, mode string, size int, secs float64) figure {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 3*time.Minute)
	defer cancel()
	before := r.cpu(b)
	out := make([]figure, len(r.nodes))
	var g errgroup.Group
	for i, n := range r.nodes {
		role := map[string]string{"one": "recv", "all": "send", "lat": "recv"}[mode]
		if i == 0 {
			role = map[string]string{"one": "send", "all": "send", "lat": "lat"}[mode]
		}
		g.Go(func() error {
			res := n.Exec(ctx, program, role, strconv.Itoa(size), strconv.FormatFloat(secs, 'f', -1, 64), strconv.Itoa(len(r.nodes)))
			if err := res.Err(); err != nil {
				return err
			}
			return json.Unmarshal([]byte(res.Stdout), &out[i])
		})
	}
	if err := g.Wait(); err != nil {
		b.Fatal(err)
	}
	f := out[0]
	for _, o := range out {
		if o.Order != f.Order || o.Delivered != f.Delivered {
			b.Fatalf("the nodes delivered different messages, or in another order: %+v", out)
		}
		f.Msgs, f.MB = min(f.Msgs, o.Msgs), min(f.MB, o.MB)
	}
	f.cpu = r.cpu(b) - before
	return f
}

// cpu is what the daemons of all nodes have used.
func (r *ring) cpu(b *testing.B) time.Duration {
	b.Helper()
	var sum time.Duration
	for _, n := range r.nodes {
		for _, pid := range n.Processes(r.server) {
			sum += processCPU(b, pid)
		}
	}
	return sum
}

func processCPU(b *testing.B, pid int) time.Duration {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	f := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	user, err1 := strconv.Atoi(f[11])
	system, err2 := strconv.Atoi(f[12])
	if err := errors.Join(err1, err2); err != nil {
		b.Fatal(err)
	}
	return time.Duration(user+system) * 10 * time.Millisecond
}

// BenchmarkRing gives messages and megabytes per second and times from sending to
// delivery. Each figure is of one run of two seconds; with another stack, its
// figures and the ratio to them follow.
func BenchmarkRing(b *testing.B) {
	if why := lab.Missing(); why != "" {
		b.Skip(why)
	}
	for _, nodes := range []int{3, 2} {
		for _, s := range append([]stack{ours()}, peers(b)...) {
			b.Run(fmt.Sprintf("nodes=%d/%s", nodes, s.name), func(b *testing.B) {
				r := form(b, s, nodes)
				for _, mode := range []string{"one", "all", "lat"} {
					for _, size := range []int{100, 1000, 10_000, 64_000, 1_000_000} {
						if mode == "lat" && size > 1000 {
							continue
						}
						b.Run(fmt.Sprintf("%s/%dB", mode, size), func(b *testing.B) {
							var f figure
							for range b.N {
								f = r.measure(b, mode, size, 2)
							}
							report(b, mode, f)
						})
					}
				}
			})
		}
	}
}

func report(b *testing.B, mode string, f figure) {
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(f.LatUS.P50, "p50-µs")
	b.ReportMetric(f.LatUS.P99, "p99-µs")
	b.ReportMetric(float64(f.cpu.Microseconds())/float64(max(f.Delivered, 1)), "cpu-µs/msg")
	if mode != "lat" {
		b.ReportMetric(f.Msgs, "msg/s")
		b.ReportMetric(f.MB, "MB/s")
	}
}
