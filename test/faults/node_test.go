// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package faults

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/test/e2e/bare"
	"github.com/quorate/quorate/test/faults/hub"
	"github.com/quorate/quorate/test/faults/judge"
)

// A node is a network namespace with a device for each link, a folder, and what
// runs in them.
type node struct {
	id    int
	name  string
	c     *cluster
	root  string
	ns    netns.NsHandle
	ports []hub.Port // by link
	rec   *judge.Recorder

	wrap []string // command that the daemon is started by
	args []string // further arguments of the daemon
	cmd  *exec.Cmd
	dead chan struct{} // closed once cmd has ended
}

// address of node i on a link; both from documentation's nets.
func address(i, link int) netip.Addr {
	if link == 0 {
		return netip.AddrFrom4([4]byte{198, 51, 100, 10 + byte(i)})
	}
	return netip.AddrFrom4([4]byte{203, 0, 113, 10 + byte(i)})
}

func hardware(i, link int) net.HardwareAddr {
	return net.HardwareAddr{2, 0, 0, 0, byte(link), byte(i)}
}

// inside runs a function on a thread of the node's network namespace, which then
// ends.
func (n *node) inside(do func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		if err := netns.Set(n.ns); err != nil {
			done <- err
			return
		}
		done <- do()
	}()
	return <-done
}

// plug gives the node its devices and tells it the hardware addresses of all, so
// that a fault of the network is one of the daemon's packets alone.
func (n *node) plug(links, nodes int) error {
	h, err := netlink.NewHandleAt(n.ns)
	if err != nil {
		return err
	}
	defer h.Close()
	lo, err := h.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := h.LinkSetUp(lo); err != nil {
		return err
	}
	for l := range links {
		p, err := n.c.hub.Plug(n.ns, device(l), l, hardware(n.id, l))
		if err != nil {
			return err
		}
		n.ports = append(n.ports, p)
		if err := n.address(h, l, nodes); err != nil {
			return err
		}
	}
	return nil
}

func device(link int) string { return "eth" + strconv.Itoa(link) }

func (n *node) address(h *netlink.Handle, l, nodes int) error {
	dev, err := h.LinkByName(device(l))
	if err != nil {
		return err
	}
	addr := &netlink.Addr{IPNet: &net.IPNet{IP: address(n.id, l).AsSlice(), Mask: net.CIDRMask(24, 32)}}
	if err := errors.Join(h.LinkSetHardwareAddr(dev, hardware(n.id, l)), h.AddrReplace(dev, addr), h.LinkSetUp(dev)); err != nil {
		return err
	}
	for i := 1; i <= nodes; i++ {
		if i == n.id {
			continue
		}
		err := h.NeighSet(&netlink.Neigh{
			LinkIndex: dev.Attrs().Index, State: netlink.NUD_PERMANENT,
			IP: address(i, l).AsSlice(), HardwareAddr: hardware(i, l),
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// write gives the node its configuration.
func (n *node) write(conf string, key []byte) error {
	etc := filepath.Join(n.root, "etc")
	if err := os.MkdirAll(filepath.Join(etc, "corosync"), 0o755); err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(etc, "hostname"), []byte(n.name+"\n"), 0o644),
		os.WriteFile(n.conf(), []byte(conf), 0o644),
		os.WriteFile(filepath.Join(etc, "corosync/authkey"), key, 0o400))
}

func (n *node) conf() string    { return filepath.Join(n.root, "etc/corosync/corosync.conf") }
func (n *node) socket() string  { return filepath.Join(n.root, "run/quorate/messagingd.sock") }
func (n *node) logName() string { return filepath.Join(n.root, "log") }

func (n *node) String() string { return n.name }

func (n *node) environment() []string {
	return []string{
		"PATH=" + n.c.bin + ":/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + n.root, "LANG=C.UTF-8",
		"QUORATE_ROOT=" + n.root, "QUORATE_PROGRAM=" + filepath.Join(n.c.bin, "quorate"),
		"OCF_RA_PATH=" + filepath.Join(n.c.dir, "ocf"), "WITNESS=" + n.c.dir, "WITNESS_NODE=" + n.name,
	}
}

// start starts the node's daemon, or all of them. A boot begins with an empty /run.
func (n *node) start() {
	n.c.t.Helper()
	if err := os.RemoveAll(filepath.Join(n.root, "run")); err != nil {
		n.c.t.Fatal(err)
	}
	argv := append(append([]string{}, n.wrap...), filepath.Join(n.c.bin, "messagingd"), "--root", n.root)
	if n.c.all {
		argv = append(append([]string{}, n.wrap...), filepath.Join(n.c.bin, "quorate"), "run", "--root", n.root)
	}
	argv = append(argv, n.args...)
	log, err := os.OpenFile(n.logName(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		n.c.t.Fatal(err)
	}
	defer log.Close()
	// The groups first: all that the node starts is in them.
	script := `for g; do [ "$g" = -- ] && break; echo $$ >"$g"; done; while [ "$1" != -- ]; do shift; done; shift; exec "$@"`
	args := append([]string{"-c", script, "start"}, n.groups()...)
	n.cmd = exec.Command("/bin/sh", append(append(args, "--"), argv...)...)
	n.cmd.Dir, n.cmd.Env, n.cmd.Stdout, n.cmd.Stderr = n.root, n.environment(), log, log
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := n.inside(n.cmd.Start); err != nil {
		n.c.t.Fatalf("%s: %v", n, err)
	}
	n.dead = make(chan struct{})
	go func(cmd *exec.Cmd, dead chan struct{}) {
		_ = cmd.Wait()
		close(dead)
	}(n.cmd, n.dead)
}

// running tells whether the process that was started is there.
func (n *node) running() bool {
	if n.dead == nil {
		return false
	}
	select {
	case <-n.dead:
		return false
	default:
		return true
	}
}

// The control groups of a node.
const (
	freezer = "freezer"
	cpu     = "cpu"
	memory  = "memory"
)

func (n *node) group(kind string) string {
	return filepath.Join("/sys/fs/cgroup", kind, filepath.Base(n.c.dir), n.name)
}

// groups makes the node's groups, where there is such a kind, and returns the
// files that take processes in.
func (n *node) groups() []string {
	var out []string
	for _, kind := range []string{freezer, cpu, memory} {
		if _, err := os.Stat(filepath.Join("/sys/fs/cgroup", kind, "cgroup.procs")); err != nil {
			continue
		}
		if err := os.MkdirAll(n.group(kind), 0o755); err == nil {
			out = append(out, filepath.Join(n.group(kind), "cgroup.procs"))
		}
	}
	return out
}

// processes lists those of the node, or its daemons of a name.
func (n *node) processes(name string) []int { return bare.Processes(n.root, name) }

// powerOff ends all processes of the node at once: they are frozen, then killed.
func (n *node) powerOff() {
	n.freeze(true)
	for _, p := range n.processes("") {
		_ = syscall.Kill(p, syscall.SIGKILL)
	}
	n.freeze(false)
	for range 20 {
		left := n.processes("")
		if len(left) == 0 {
			break
		}
		for _, p := range left {
			_ = syscall.Kill(p, syscall.SIGKILL)
		}
		<-time.After(time.Millisecond)
	}
	if n.dead != nil {
		<-n.dead
	}
}

// freeze stops all processes of the node at once, or lets them go on.
func (n *node) freeze(yes bool) {
	state := "THAWED"
	if yes {
		state = "FROZEN"
	}
	_ = os.WriteFile(filepath.Join(n.group(freezer), "freezer.state"), []byte(state), 0o644)
}

// tool runs a tool on the node and returns its output and exit code.
func (n *node) tool(argv ...string) (string, int) {
	n.c.t.Helper()
	ctx, cancel := context.WithTimeout(n.c.t.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(n.c.bin, "quorate"), argv...)
	cmd.Dir, cmd.Env = n.root, n.environment()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := n.inside(cmd.Start)
	if err == nil {
		_ = cmd.Wait()
	}
	if cmd.ProcessState == nil {
		n.c.t.Fatalf("%s: %v: %v", n, argv, err)
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

// command runs any program in the node's network.
func (n *node) command(argv ...string) (string, error) {
	cmd := exec.CommandContext(n.c.t.Context(), argv[0], argv[1:]...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := n.inside(cmd.Start); err != nil {
		return "", err
	}
	err := cmd.Wait()
	return out.String(), err
}

// become gives the node the address of another, and its name.
func (n *node) become(other *node) error {
	h, err := netlink.NewHandleAt(n.ns)
	if err != nil {
		return err
	}
	defer h.Close()
	dev, err := h.LinkByName(device(0))
	if err != nil {
		return err
	}
	old, err := h.AddrList(dev, netlink.FAMILY_V4)
	if err != nil {
		return err
	}
	for _, a := range old {
		if err := h.AddrDel(dev, &a); err != nil {
			return err
		}
	}
	return h.AddrAdd(dev, &netlink.Addr{IPNet: &net.IPNet{IP: address(other.id, 0).AsSlice(), Mask: net.CIDRMask(24, 32)}})
}

// key reads a key of the node's map.
func (n *node) key(name string) string {
	n.c.t.Helper()
	out, code := n.tool("corosync-cmapctl", "-g", name)
	_, value, ok := strings.Cut(strings.TrimSpace(out), " = ")
	if code != 0 || !ok {
		return ""
	}
	return value
}

func ids(nodes []*node) []messaging.NodeID {
	var out []messaging.NodeID
	for _, n := range nodes {
		out = append(out, messaging.NodeID(n.id))
	}
	return out
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
