// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package corosync

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quorate/quorate/internal/cli"
	"github.com/quorate/quorate/internal/daemon"
	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/cmap"
	"github.com/quorate/quorate/messaging/engine"
	"github.com/quorate/quorate/messaging/qnet/cert"
	"github.com/quorate/quorate/messaging/quorum"
)

// yes is a device that gives its vote to each ring.
type yes struct{ rings chan engine.ArbiterView }

func (y *yes) Observe(v engine.ArbiterView) {
	select {
	case y.rings <- v:
	default:
	}
}

func (y *yes) Run(ctx context.Context, poll engine.Poll) error {
	var last messaging.RingID
	for {
		select {
		case v := <-y.rings:
			if v.Ring == last {
				continue
			}
			last = v.Ring
			if err := poll(ctx, v.Ring, true); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
}

func (y *yes) Entries() (out []messaging.CmapEntry) {
	for k, v := range map[string]string{
		"model": "Net", "last_poll": "2026-11-20T15:00:00 (cast vote)", "members": "1, 2", "heuristics": "Enabled", "hb_interval": "10000ms",
		"net.cluster_name": "lab", "net.host": "qnetd:5403", "net.connect_timeout": "8000ms", "net.hb_interval": "2000ms", "net.vote_interval": "5000ms",
		"net.tls": "Supported", "net.algorithm": "Fifty-Fifty split", "net.tie_breaker": "Node with lowest node ID", "net.keep_active": "Enabled",
		"net.vote": "ACK", "net.state": "Connected", "net.tls_active": "Yes", "net.connected_since": "2026-11-20T14:00:00",
		"net.echo_received": "2026-11-20T15:00:01", "net.heuristics_result": "Pass (regular: Undefined, membership: Pass)",
	} {
		out = append(out, cmap.Str("runtime.qdevice."+k, v))
	}
	return out
}

// tool runs one command line at a root.
func tool(t *testing.T, root, line string) (string, int) {
	t.Helper()
	words := strings.Fields(line)
	var out bytes.Buffer
	io := &cli.IO{
		Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, Env: func(string) string { return "" }, Paths: daemon.Paths{Root: root}, Tool: words[0],
	}
	for _, x := range Tools() {
		if x.Name == words[0] {
			code := x.Run(t.Context(), io, words[1:])
			return strings.ReplaceAll(out.String(), root, ""), code
		}
	}
	t.Fatalf("no tool %s", words[0])
	return "", 0
}

func TestADeviceIsShownAndUnregistered(t *testing.T) {
	_, root := serveTuned(t, "knet", func(c *engine.Config) {
		c.Quorum.Device = quorum.Device{Name: "Qdevice", Votes: 1}
		c.Quorum.ExpectedVotes = 3
		c.Device = engine.DeviceConfig{Arbiter: &yes{make(chan engine.ArbiterView, 64)}, Timeout: 1 << 40, SyncTimeout: 1 << 40, Key: "x"}
	})
	const table = `
Membership information
----------------------
    Nodeid      Votes    Qdevice Name
         1          1    A,V,NMW node1 (local)
         2          1    A,V,NMW node2
         0          1            Qdevice
`
	if got := until(t, root, "corosync-quorumtool -l", table); got != table {
		t.Errorf("%s", got)
	}
	out, code := tool(t, root, "corosync-qdevice-tool -s")
	want := "Qdevice information\n-------------------\nModel:\t\t\tNet\nNode ID:\t\t1\nConfigured node list:\n    0\tNode ID = 1\n    1\tNode ID = 2\n" +
		"Membership node list:\t1, 2\n\nQdevice-net information\n----------------------\nCluster name:\t\tlab\nQNetd host:\t\tqnetd:5403\n" +
		"Algorithm:\t\tFifty-Fifty split\nTie-breaker:\t\tNode with lowest node ID\nState:\t\t\tConnected\nHeuristics result:\tPass\n"
	if out != want || code != 0 {
		t.Errorf("exit %d: %s", code, out)
	}
	out, _ = tool(t, root, "corosync-qdevice-tool -sv")
	for _, line := range []string{
		"HB interval:\t\t10000ms\n", "Heuristics:\t\tEnabled\nRing ID:\t\t1.", "Quorate:\t\tYes\nQuorum node list:\n    0\tNode ID = 1, State = member\n",
		"Expected votes:\t\t3\nLast poll call:\t\t2026-11-20T15:00:00 (cast vote)\n", "Connect timeout:\t8000ms\nHB interval:\t\t2000ms\nVQ vote timer interval:\t5000ms\nTLS:\t\t\tSupported\n",
		"KAP Tie-breaker:\tEnabled\nPoll timer running:\tYes (cast vote)\nState:", "Heuristics result:\tPass (regular: Undefined, membership: Pass)\nTLS active:\t\tYes (client certificate sent)\nConnected since:\t2026-11-20T14:00:00\nEcho reply received:\t2026-11-20T15:00:01\n",
	} {
		if !strings.Contains(out, line) {
			t.Errorf("%q is not in %s", line, out)
		}
	}
	if out, code := tool(t, root, "corosync-quorumtool -f"); out != "" || code != 0 {
		t.Errorf("unregister: exit %d %s", code, out)
	}
	const after = `
Membership information
----------------------
    Nodeid      Votes Name
         1          1 node1 (local)
         2          1 node2
`
	if got := until(t, root, "corosync-quorumtool -l", after); got != after {
		t.Errorf("%s", got)
	}
}

// until runs a tool until it prints that, a bounded number of times.
func until(t *testing.T, root, line, want string) (got string) {
	for range 200 {
		if got, _ = tool(t, root, line); got == want {
			break
		}
	}
	return got
}

func TestCertificatesAreMadeInTheStepsOfCorosync(t *testing.T) {
	server, one, two := t.TempDir(), t.TempDir(), t.TempDir()
	carry := func(from, path, to string) string {
		b, err := os.ReadFile(filepath.Join(from, path))
		if err != nil {
			t.Fatal(err)
		}
		target := filepath.Join(to, filepath.Base(path))
		if err := os.WriteFile(target, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return target
	}
	run := func(root, line, want string, code int) {
		t.Helper()
		if out, got := tool(t, root, line); out != want || got != code {
			t.Errorf("%s: exit %d: %s", line, got, out)
		}
	}
	run(server, "corosync-qnetd-certutil -i", "Creating new CA\nQNetd CA certificate is exported as "+cert.ServerDir+"/qnetd-cacert.crt\n", 0)
	run(one, "corosync-qdevice-net-certutil -i -c "+carry(server, cert.ServerDir+"/qnetd-cacert.crt", one), "Importing CA\n", 0)
	run(one, "corosync-qdevice-net-certutil -r", "You have to specify cluster name\n", 2)
	run(one, "corosync-qdevice-net-certutil -r -n debian", "Creating new certificate request\nCertificate request stored in "+cert.NodeDir+"/qdevice-net-node.crq\n", 0)
	run(server, "corosync-qnetd-certutil -s -n debian -c "+carry(one, cert.NodeDir+"/qdevice-net-node.crq", server),
		"Signing cluster certificate\nCertificate stored in "+cert.ServerDir+"/cluster-debian.crt\n", 0)
	run(one, "corosync-qdevice-net-certutil -M -c "+carry(server, cert.ServerDir+"/cluster-debian.crt", one),
		"Importing signed cluster certificate\nCertificate stored in "+cert.NodeDir+"/qdevice-net-node.p12\n", 0)
	run(two, "corosync-qdevice-net-certutil -i -c "+carry(server, cert.ServerDir+"/qnetd-cacert.crt", two), "Importing CA\n", 0)
	run(two, "corosync-qdevice-net-certutil -m -c "+carry(one, cert.NodeDir+"/qdevice-net-node.p12", two), "Importing cluster certificate and key\n", 0)
	for _, root := range []string{one, two} {
		if _, err := cert.LoadNode(filepath.Join(root, cert.NodeDir)); err != nil {
			t.Error(err)
		}
	}
	run(one, "corosync-qdevice-net-certutil -M -c nowhere", "Can't open certificate file nowhere\n", 2)
	if out, code := tool(t, server, "corosync-qnetd-certutil -i"); code != 1 || !strings.HasPrefix(out, "Certificate database already exists.") {
		t.Errorf("twice: exit %d: %s", code, out)
	}
	if out, code := tool(t, one, "corosync-qdevice-tool -s"); code != exitNoDaemon || !strings.HasPrefix(out, "corosync-qdevice-tool: Can't connect to QDevice socket (is QDevice running?): ") {
		t.Errorf("no daemon: exit %d: %s", code, out)
	}
	if out, code := tool(t, one, "corosync-qnetd-tool -l"); code != exitNoDaemon || out != "corosync-qnetd-tool: Can't connect to qnetd socket (is QNetd running?): No such file or directory\n" {
		t.Errorf("no server: exit %d: %s", code, out)
	}
}
