// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package lab

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// A Node is one machine of the lab.
type Node struct {
	Name string

	lab   *Lab
	index int
	dir   string // upper, work: its disk; root: what it sees

	mu     sync.Mutex
	leader int // its PID 1 as seen from here, 0 while off; guarded by mu
}

const (
	bootTimeout = 30 * time.Second
	bootPoll    = 20 * time.Millisecond
)

// Address is the node's own address.
func (n *Node) Address() netip.Addr { return NodeAddress(n.index) }

// Root is what the node has as its root directory, seen from here. What is
// mounted inside the node does not show.
func (n *Node) Root() string { return filepath.Join(n.dir, "root") }

// Running tells whether the node is powered on.
func (n *Node) Running() bool { return n.pid() != 0 }

func (n *Node) pid() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.leader
}

// create makes the node's disk: this machine's root, the installation, and what
// makes it a machine of its own.
func (n *Node) create(ctx context.Context) error {
	for _, d := range []string{"upper", "work", "root"} {
		if err := os.MkdirAll(filepath.Join(n.dir, d), 0o755); err != nil {
			return fmt.Errorf("lab: %w", err)
		}
	}
	opts := fmt.Sprintf("lowerdir=%s:/,upperdir=%s,workdir=%s", n.lab.layer(), filepath.Join(n.dir, "upper"), filepath.Join(n.dir, "work"))
	if err := unix.Mount("overlay", n.Root(), "overlay", 0, opts); err != nil {
		return fmt.Errorf("lab: overlay of %s: %w", n.Name, err)
	}
	files := []file{
		{"/etc/machine-id", 0o444, ""},
		{"/etc/hostname", 0o644, n.Name + "\n"},
		{"/etc/hosts", 0o644, hostsFile(n.lab.opt.Nodes)},
		{WebSource + "/index.html", 0o644, n.Name + "\n"},
	}
	if err := writeFiles(n.Root(), files); err != nil {
		return err
	}
	if err := n.quiet(); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(n.Root(), WebRoot), 0o755); err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	if _, err := os.Stat(filepath.Join(n.Root(), "usr/lib/sysusers.d/quorate.conf")); err != nil {
		return n.keepLogs() // another stack, with its accounts in its image
	}
	// What the installer does on a machine that runs.
	for _, c := range [][]string{{"systemd-sysusers", "--root=" + n.Root(), "quorate.conf"}, {"systemd-tmpfiles", "--root=" + n.Root(), "--create", "quorate.conf"}} {
		if out, err := exec.CommandContext(ctx, c[0], c[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("lab: %s: %s: %w\n%s", n.Name, c[0], err, out)
		}
	}
	return n.keepLogs()
}

// quiet keeps what this machine starts by itself from starting in the node,
// where it can still be started by hand.
func (n *Node) quiet() error {
	units := filepath.Join(n.Root(), "etc/systemd/system")
	if err := os.MkdirAll(filepath.Join(n.Root(), "var/log/journal"), 0o755); err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	var links []string
	for _, pattern := range []string{units + "/*.wants/*.service", filepath.Join(n.Root(), "etc/rc[0-9S].d/S*")} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return fmt.Errorf("lab: %w", err)
		}
		links = append(links, found...)
	}
	for _, f := range links {
		if err := os.Remove(f); err != nil {
			return fmt.Errorf("lab: %w", err)
		}
	}
	for _, u := range masked {
		if err := relink("/dev/null", filepath.Join(units, u)); err != nil {
			return err
		}
	}
	return relink("/lib/systemd/system/multi-user.target", filepath.Join(units, "default.target"))
}

func relink(to, name string) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("lab: %w", err)
	}
	if err := os.Symlink(to, name); err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	return nil
}

// keepLogs makes the journal hold every line: a burst of messages is just what a
// failed test is about.
func (n *Node) keepLogs() error {
	return writeFiles(n.Root(), []file{{
		"/etc/systemd/journald.conf.d/lab.conf", 0o644,
		"[Journal]\nStorage=persistent\nRateLimitIntervalSec=0\nSyncIntervalSec=1s\n",
	}})
}

// renew throws away what the node wrote. It must be off.
func (n *Node) renew(ctx context.Context) error {
	var err error
	for range 50 { // until the last process is gone
		if err = unix.Unmount(n.Root(), 0); err == nil || errors.Is(err, unix.EINVAL) {
			break
		}
		time.Sleep(bootPoll)
	}
	if err != nil && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("lab: %s: unmount: %w", n.Name, err)
	}
	for _, d := range []string{"upper", "work"} {
		if err := os.RemoveAll(filepath.Join(n.dir, d)); err != nil {
			return fmt.Errorf("lab: %w", err)
		}
	}
	return n.create(ctx)
}

// Boot powers the node on, with the disk that it has, and returns when systemd
// has started what it starts.
func (n *Node) Boot(ctx context.Context) error {
	if n.Running() {
		return fmt.Errorf("lab: %s is on already", n.Name)
	}
	ctx, cancel := context.WithTimeout(ctx, bootTimeout)
	defer cancel()
	sup, err := n.spawn()
	if err != nil {
		return err
	}
	pid, err := n.awaitLeader(ctx, sup)
	if err != nil {
		return err
	}
	if err := n.connect(pid); err != nil {
		return err
	}
	n.mu.Lock()
	n.leader = pid
	n.mu.Unlock()
	for {
		state := strings.TrimSpace(n.Exec(ctx, "systemctl", "is-system-running").Stdout)
		if state == "running" || state == "degraded" {
			break
		}
		if err := pause(ctx, bootPoll); err != nil {
			return fmt.Errorf("lab: %s did not finish booting (%s): %w", n.Name, state, err)
		}
	}
	rules := "table inet lab { chain lossy { type filter hook input priority -10; }; chain block { type filter hook input priority -9; }; }"
	if r := n.Exec(ctx, "nft", rules); r.Code != 0 {
		return fmt.Errorf("lab: %s: nft: %s", n.Name, r)
	}
	return nil
}

// spawn starts the container's supervisor in control groups of its own and notes
// it down for the reaper.
func (n *Node) spawn() (int, error) {
	console, err := os.Create(filepath.Join(n.dir, "console"))
	if err != nil {
		return 0, fmt.Errorf("lab: %w", err)
	}
	defer console.Close()
	groups := makeGroups(n.lab.dir, n.Name)
	args := append([]string{"-c", `for g; do [ "$g" = -- ] && break; echo $$ >"$g"; done; while [ "$1" != -- ]; do shift; done; shift; exec "$@"`, "spawn"}, groups...)
	args = append(args, "--", "systemd-nspawn", "--quiet", "--directory="+n.Root(), "--register=no", "--keep-unit",
		"--machine="+n.Name, "--hostname="+n.Name, "--private-network", "--link-journal=no", "--console=read-only",
		"--capability=CAP_NET_ADMIN,CAP_NET_RAW,CAP_SYS_NICE,CAP_IPC_LOCK,CAP_SYS_BOOT",
		"--bind="+n.lab.fence.dir+":/run/lab", "--boot")
	cmd := exec.Command("/bin/sh", args...)
	cmd.Stdout, cmd.Stderr = console, console
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("lab: %s: %w", n.Name, err)
	}
	go func() { _ = cmd.Wait() }()
	pid := cmd.Process.Pid
	note := fmt.Sprintf("%d %s\n", pid, startTime(pid))
	if err := os.WriteFile(filepath.Join(n.dir, "supervisor"), []byte(note), 0o644); err != nil {
		return 0, fmt.Errorf("lab: %w", err)
	}
	return pid, nil
}

func (n *Node) awaitLeader(ctx context.Context, supervisor int) (int, error) {
	for {
		for _, c := range children(supervisor) {
			if processName(c) == "systemd" {
				return c, nil
			}
		}
		if err := pause(ctx, bootPoll); err != nil {
			console, _ := os.ReadFile(filepath.Join(n.dir, "console"))
			return 0, fmt.Errorf("lab: %s did not start: %w\n%s", n.Name, err, console)
		}
	}
}

// connect gives the node its network.
func (n *Node) connect(pid int) error {
	if err := n.lab.hub.plug(n.Name, pid); err != nil {
		return err
	}
	ns, err := netns.GetFromPid(pid)
	if err != nil {
		return fmt.Errorf("lab: network of %s: %w", n.Name, err)
	}
	defer ns.Close()
	h, err := netlink.NewHandleAt(ns)
	if err != nil {
		return fmt.Errorf("lab: network of %s: %w", n.Name, err)
	}
	defer h.Close()
	err = errors.Join(setUp(h, "lo"), addAddress(h, "eth0", n.Address().String()+"/24"), setUp(h, "eth0"))
	if err != nil {
		return fmt.Errorf("lab: network of %s: %w", n.Name, err)
	}
	return nil
}

// Kill is power loss: every process of the node is gone at once. Its disk stays
// as it was.
func (n *Node) Kill() {
	n.mu.Lock()
	pid := n.leader
	n.leader = 0
	n.mu.Unlock()
	if pid != 0 {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	if n.lab.hub != nil {
		n.lab.hub.unplug(n.Name)
	}
	killSupervisor(filepath.Join(n.dir, "supervisor"))
}

// pause waits, or returns the context's error.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// NewKey makes the secret that the nodes of a cluster share.
func NewKey() []byte {
	key := make([]byte, 256)
	_, _ = rand.Read(key) // never fails
	return key
}
