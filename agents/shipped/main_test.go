// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package shipped

import (
	"context"
	"fmt"
	"os"
	osexec "os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/agents"
	"github.com/quorate/quorate/agents/ocf"
)

// The test program stands for the operator program: called with ocf first, it
// is an agent.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "ocf" {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		c := &Call{Getenv: os.Getenv, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
		act := ""
		if len(os.Args) > 3 {
			act = os.Args[3]
		}
		rc := c.Run(ctx, os.Args[2], act)
		stop()
		os.Exit(int(rc))
	}
	if os.Getenv(inside) != "" {
		if err := prepareNamespace(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

const inside = "QUORATE_TEST_NAMESPACE"

// inNamespace runs the test again in network and mount namespaces of its own, in
// which it is alone; it tells the caller, inside, to go on.
func inNamespace(t *testing.T) bool {
	t.Helper()
	if os.Getenv(inside) != "" {
		return true
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root for namespaces")
	}
	cmd := osexec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=60s")
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("in namespaces: %v\n%s", err, out)
	} else if testing.Verbose() {
		t.Logf("%s", out)
	}
	return false
}

// prepareNamespace makes two ends of a cable, one with an address of a network
// for IPv4 and IPv6 each.
func prepareNamespace() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return err
	}
	la := netlink.NewLinkAttrs()
	la.Name = "eth0"
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: la, PeerName: "peer0"}); err != nil {
		return err
	}
	for _, name := range []string{"eth0", "peer0"} {
		l, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		if err := netlink.LinkSetUp(l); err != nil {
			return err
		}
	}
	// Duplicate address detection waits this long for an answer.
	if err := os.WriteFile("/proc/sys/net/ipv6/neigh/eth0/retrans_time_ms", []byte("100"), 0o644); err != nil {
		return err
	}
	eth0, err := netlink.LinkByName("eth0")
	if err != nil {
		return err
	}
	for _, text := range []string{"192.0.2.1/24", "2001:db8::1/64"} {
		a, err := netlink.ParseAddr(text)
		if err != nil {
			return err
		}
		a.Flags |= unix.IFA_F_NODAD
		if err := netlink.AddrAdd(eth0, a); err != nil {
			return err
		}
	}
	return nil
}

// A resource is an instance of an agent that a test drives.
type resource struct {
	t              *testing.T
	class          *ocf.Class
	provider, name string
	id             string
	params         map[string]string
	tmp            string // where its state is
	took           time.Duration
	reason         string
}

const (
	debianAgents  = "/usr/lib/ocf/resource.d"
	shippedScript = "../scripts/ocf"
)

// newResource finds the agent in dir.
func newResource(t *testing.T, dir, provider, name string, params map[string]string) *resource {
	t.Helper()
	abs, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	tmp := t.TempDir()
	env := append(ocf.BaseEnv(os.Environ()), "QUORATE_PROGRAM="+self, "HA_RSCTMP="+tmp)
	r := &resource{t: t, tmp: tmp, class: ocf.New(ocf.Config{Dirs: []string{abs}, Env: env}), provider: provider, name: name, id: "r1", params: params}
	if _, err := r.class.Find(provider, name); err != nil {
		t.Skip(err)
	}
	return r
}

func (r *resource) run(action string, interval time.Duration) agents.ExitCode {
	r.t.Helper()
	res := r.class.Run(r.t.Context(), agents.Request{
		Provider: r.provider, Type: r.name, Instance: r.id, Action: action,
		Interval: interval, Timeout: 30 * time.Second, Params: r.params,
	})
	if res.Status != agents.StatusDone {
		r.t.Fatalf("%s: %v: %s\n%s", action, res.Status, res.Reason, res.Stderr)
	}
	r.took, r.reason = res.Ended.Sub(res.Started), res.Reason
	return res.Exit
}

func (r *resource) want(action string, code agents.ExitCode) {
	r.t.Helper()
	if got := r.run(action, 0); got != code {
		r.t.Fatalf("%s answers %v, not %v: %s", action, got, code, r.reason)
	}
}

// lifecycle is what holds of every agent: probe, start twice, monitor, stop
// twice, probe.
func (r *resource) lifecycle() {
	r.t.Helper()
	r.want("validate-all", agents.OK)
	r.want("monitor", agents.NotRunning)
	r.want("start", agents.OK)
	r.want("monitor", agents.OK)
	r.want("start", agents.OK)
	if got := r.run("monitor", 10*time.Second); got != agents.OK {
		r.t.Fatalf("recurring monitor answers %v: %s", got, r.reason)
	}
	r.want("stop", agents.OK)
	r.want("stop", agents.OK)
	r.want("monitor", agents.NotRunning)
}
