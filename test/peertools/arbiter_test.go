// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package peertools

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/test/e2e/lab"
)

// deviceClient is the program of corosync that these tests need besides its daemon.
const deviceClient = "/usr/sbin/corosync-qdevice"

// A site is two nodes with corosync and its device client, and a third machine
// with our server.
type site struct {
	t             *testing.T
	first, second *lab.Node
	server        *lab.Node
}

// newSite boots the machines and makes certificates: ours on the server,
// corosync's (NSS) on the nodes.
func newSite(t *testing.T) *site {
	t.Helper()
	image := os.Getenv("BENCH_PEER")
	if image == "" || os.Getenv("PEER_TOOLS") == "" {
		t.Skip("$PEER_TOOLS is not set, or $BENCH_PEER names no corosync")
	}
	if _, err := os.Stat(filepath.Join(image, deviceClient)); err != nil {
		t.Skipf("the corosync of $BENCH_PEER has no device client: %v", err)
	}
	if why := lab.Missing(); why != "" {
		t.Skip(why)
	}
	l, err := lab.Start(t.Context(), lab.Options{Nodes: 3, Image: image, Log: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Down() })
	s := &site{t, l.Node(1), l.Node(2), l.Node(3)}
	for _, p := range []string{"qnetd", "quorate"} {
		bin := filepath.Join(t.TempDir(), p)
		cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", bin, "../../cmd/"+p)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		text, err := os.ReadFile(bin)
		if err == nil {
			err = s.server.WriteFile("/opt/"+p, 0o755, string(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	s.certify()
	s.run(s.server, "systemd-run", "-u", "qnetd", "/opt/qnetd", "-s", "required", "-metrics", "127.0.0.1:0")
	return s
}

func (s *site) run(n *lab.Node, argv ...string) string {
	s.t.Helper()
	r := n.Exec(s.t.Context(), argv...)
	if err := r.Err(); err != nil {
		s.t.Fatal(err)
	}
	return r.Stdout
}

func (s *site) carry(from *lab.Node, path string, to *lab.Node) {
	s.t.Helper()
	text, err := from.ReadFile(path)
	if err == nil {
		err = to.WriteFile("/root/"+filepath.Base(path), 0o600, text)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) certify() {
	s.t.Helper()
	const nodeDir, serverDir, tool = "/etc/corosync/qdevice/net/nssdb/", "/etc/corosync/qnetd/nssdb/", "corosync-qdevice-net-certutil"
	s.run(s.server, "/opt/quorate", "corosync-qnetd-certutil", "-i")
	for _, n := range []*lab.Node{s.first, s.second} {
		s.carry(s.server, serverDir+"qnetd-cacert.crt", n)
		s.run(n, tool, "-i", "-c", "/root/qnetd-cacert.crt")
	}
	s.run(s.first, tool, "-r", "-n", "lab")
	s.carry(s.first, nodeDir+"qdevice-net-node.crq", s.server)
	s.run(s.server, "/opt/quorate", "corosync-qnetd-certutil", "-s", "-c", "/root/qdevice-net-node.crq", "-n", "lab")
	s.carry(s.server, serverDir+"cluster-lab.crt", s.first)
	s.run(s.first, tool, "-M", "-c", "/root/cluster-lab.crt")
	s.carry(s.first, nodeDir+"qdevice-net-node.p12", s.second)
	s.run(s.second, tool, "-m", "-c", "/root/qdevice-net-node.p12")
}

// start lets both nodes run with a device of those lines.
func (s *site) start(device ...string) {
	s.t.Helper()
	lines := append([]string{"device {", "model: net", "votes: 1", "timeout: 3000", "sync_timeout: 6000", "net {", "host: " + s.server.Address().String(), "tls: required"}, device...)
	conf := lab.CorosyncConf(2, append(lines, "}")...)
	key := string(lab.NewKey())
	for _, n := range []*lab.Node{s.first, s.second} {
		if err := errors.Join(n.WriteFile("/etc/corosync/corosync.conf", 0o644, conf), n.WriteFile("/etc/corosync/authkey", 0o400, key)); err != nil {
			s.t.Fatal(err)
		}
	}
	for _, unit := range []string{"corosync", "corosync-qdevice"} {
		for _, n := range []*lab.Node{s.first, s.second} {
			s.run(n, "systemctl", "start", unit)
		}
	}
}

func (s *site) stop() {
	s.t.Helper()
	for _, n := range []*lab.Node{s.first, s.second} {
		s.run(n, "systemctl", "stop", "corosync-qdevice", "corosync")
	}
}

// await waits until the nodes count so many votes and hold so for a while; they
// are quorate from two on.
func (s *site) await(first, second int) {
	s.t.Helper()
	holds := func() error {
		for n, votes := range map[*lab.Node]int{s.first: first, s.second: second} {
			out := n.Exec(s.t.Context(), "corosync-quorumtool", "-s").Stdout
			quorate := "Quorate:          No"
			if votes >= 2 {
				quorate = "Quorate:          Yes"
			}
			if !strings.Contains(out, fmt.Sprintf("Total votes:      %d\n", votes)) || !strings.Contains(out, quorate) {
				return fmt.Errorf("%s: %s", n.Name, out)
			}
		}
		return nil
	}
	what := fmt.Sprintf("%d and %d votes", first, second)
	lab.Until(s.t, 40*time.Second, what, holds)
	lab.For(s.t, 3*time.Second, what, holds)
}

// split cuts the nodes from each other and heals them; both reach the server.
func (s *site) split(first, second int) {
	s.t.Helper()
	if err := errors.Join(s.first.Block(s.t.Context(), s.second), s.second.Block(s.t.Context(), s.first)); err != nil {
		s.t.Fatal(err)
	}
	s.await(first, second)
	if err := errors.Join(s.first.Unblock(s.t.Context()), s.second.Unblock(s.t.Context())); err != nil {
		s.t.Fatal(err)
	}
	s.await(3, 3)
}

// Corosync's device client at our server: certificates of both, who wins a split
// by algorithm, tie-breaker and heuristics, and what both tools say of it.
func TestCorosyncsDeviceClientsAreServed(t *testing.T) {
	s := newSite(t)
	s.start("algorithm: ffsplit", "}")
	s.await(3, 3)
	if out := s.run(s.server, "/opt/quorate", "corosync-qnetd-tool", "-lv"); strings.Count(out, "TLS active:\t\tYes (client certificate verified)\n") != 2 || !strings.Contains(out, "KAP Tie-breaker") {
		t.Errorf("%s", out)
	}
	if out := s.run(s.first, "corosync-qdevice-tool", "-sv"); !strings.Contains(out, "State:\t\t\tConnected\n") || !strings.Contains(out, "TLS active:\t\tYes (client certificate sent)\n") {
		t.Errorf("%s", out)
	}
	s.split(2, 1)
	s.stop()
	for _, tc := range []struct {
		name          string
		device        []string
		first, second int
	}{
		{"highest", []string{"algorithm: ffsplit", "tie_breaker: highest", "}"}, 1, 2},
		{"by id", []string{"algorithm: ffsplit", "tie_breaker: 2", "keep_active_partition_tie_breaker: off", "}"}, 1, 2},
		{"lms", []string{"algorithm: lms", "}"}, 2, 1},
		{"heuristics", []string{"algorithm: ffsplit", "}", "heuristics {", "mode: on", "exec_host: /bin/grep -q node2 /etc/hostname", "}"}, 1, 2},
	} {
		t.Log(tc.name)
		s.start(tc.device...)
		s.await(3, 3)
		s.split(tc.first, tc.second)
		s.stop()
	}
}
