// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package ringbench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/quorate/quorate/test/e2e/lab"
)

// A bare lab has machines that are namespaces only: no systemd, no overlay, a
// daemon as the only process. They boot in milliseconds and cost nothing, so that
// 32 of them fit on a small machine, and a start is the daemon's alone.
type bare struct {
	stack kind
	dir   string
	hub   *box
	nodes []*bareNode
	group string // control group of all of it, "" for none
	phase time.Duration
}

// A kind is a stack as a bare machine runs it.
type kind struct {
	name   string
	argv   []string // the daemon
	cmap   []string // reads the map of keys
	quorum []string // tells the state of ring and quorum
	watch  string   // program that prints a line for each view
	bench  string   // program that sends and counts messages
	env    []string
	conf   func(text string) string // what it has other than the common configuration
	server string
}

type bareNode struct {
	lab     *bare
	index   int
	dir     string
	box     *box
	daemon  *exec.Cmd
	watcher *watcher // nil where no client was started
}

// A box is a set of namespaces that lives as long as its first process, which
// ends when this program does: it reads a pipe from here.
type box struct {
	cmd  *exec.Cmd
	life io.Closer
	said *bytes.Buffer
	pid  int // of the first process inside
}

// bareInit makes a machine of its namespaces: what it has of its own on disk lies
// over this machine's, the rest of the own begins empty at each boot.
const bareInit = `set -e
mount --make-rprivate /
for p in etc var/lib var/log; do
	mkdir -p "$1/$p" "$1/work/$p"
	mount -t overlay -o "lowerdir=/$p,upperdir=$1/$p,workdir=$1/work/$p" overlay "/$p"
done
mkdir -p /var/lib/corosync /var/log/corosync
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /dev/shm
mkdir -p /run/lock
hostname "$2"
ip link set lo up
echo >"$1/ready"
exec cat`

// newBox starts a first process in namespaces of its own, in a control group.
func newBox(group string, flags []string, argv ...string) (*box, error) {
	join := `[ -z "$0" ] || echo $$ >"$0/cgroup.procs"; exec unshare "$@"`
	args := append([]string{"-c", join, group}, flags...)
	cmd := exec.Command("/bin/sh", append(args, argv...)...)
	life, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	said := &bytes.Buffer{}
	cmd.Stderr = said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &box{cmd: cmd, life: life, said: said, pid: cmd.Process.Pid}, nil
}

// kill ends every process inside at once.
func (b *box) kill() {
	_ = syscall.Kill(b.pid, syscall.SIGKILL)
	_ = b.life.Close()
	_ = b.cmd.Process.Kill()
	_ = b.cmd.Wait()
}

// startBare makes n machines on a bridge of their own, without a daemon yet.
func startBare(tb testing.TB, k kind, n int, group string) *bare {
	tb.Helper()
	l := &bare{stack: k, dir: tb.TempDir(), group: group}
	tb.Cleanup(l.down)
	var err error
	if l.hub, err = newBox("", []string{"--net"}, "cat"); err != nil {
		tb.Fatal(err)
	}
	l.await(tb, "a namespace for the bridge", func() bool {
		mine, _ := os.Readlink("/proc/self/ns/net")
		its, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", l.hub.pid))
		return err == nil && its != mine
	})
	l.ip(tb, "link", "add", "br0", "type", "bridge", "mcast_snooping", "0")
	l.ip(tb, "link", "set", "br0", "up")
	key := lab.NewKey()
	conf := k.conf(strings.Replace(lab.CorosyncConf(n), "\ttransport: udpu\n", "", 1))
	for i := range n {
		m := &bareNode{lab: l, index: i + 1, dir: filepath.Join(l.dir, strconv.Itoa(i+1))}
		l.nodes = append(l.nodes, m)
		etc := filepath.Join(m.dir, "etc/corosync")
		if err := errors.Join(os.MkdirAll(etc, 0o755),
			os.WriteFile(filepath.Join(etc, "corosync.conf"), []byte(conf), 0o644),
			os.WriteFile(filepath.Join(etc, "authkey"), key, 0o400)); err != nil {
			tb.Fatal(err)
		}
		m.boot(tb)
	}
	return l
}

// await polls for what takes milliseconds.
func (l *bare) await(tb testing.TB, what string, check func() bool) {
	tb.Helper()
	for range 5000 {
		if check() {
			return
		}
		<-time.After(time.Millisecond)
	}
	tb.Fatalf("%s: %s did not come", l.stack.name, what)
}

func (l *bare) ip(tb testing.TB, args ...string) {
	tb.Helper()
	must(tb, l.inHub(append([]string{"ip"}, args...)...))
}

// inHub is a command to be run in the network of the bridge.
func (l *bare) inHub(argv ...string) *exec.Cmd {
	return exec.Command("nsenter", append([]string{"-t", strconv.Itoa(l.hub.pid), "-n"}, argv...)...)
}

func (l *bare) down() {
	for _, m := range l.nodes {
		m.power(false)
	}
	if l.hub != nil {
		l.hub.kill()
	}
}

// boot powers the machine on, with the disk that it has.
func (m *bareNode) boot(tb testing.TB) {
	tb.Helper()
	ready := filepath.Join(m.dir, "ready")
	_ = os.Remove(ready)
	b, err := newBox(m.lab.group, []string{"-m", "-n", "-u", "-i", "-p", "--fork", "--kill-child", "--mount-proc"},
		"/bin/sh", "-c", bareInit, "init", m.dir, "node"+strconv.Itoa(m.index))
	if err != nil {
		tb.Fatal(err)
	}
	m.box = b
	m.lab.await(tb, "a machine", func() bool { _, err := os.Stat(ready); return err == nil })
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", b.pid, b.pid))
	if err == nil {
		b.pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
	}
	if err != nil {
		tb.Fatal(err)
	}
	port := m.port()
	_ = m.lab.inHub("ip", "link", "del", port).Run() // the namespace of the time before ends by and by
	m.lab.ip(tb, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", strconv.Itoa(b.pid))
	m.lab.ip(tb, "link", "set", port, "master", "br0", "up")
	must(tb, m.command(tb.Context(), "ip", "addr", "add", lab.NodeAddress(m.index).String()+"/24", "brd", "+", "dev", "eth0"))
	must(tb, m.command(tb.Context(), "ip", "link", "set", "eth0", "up"))
}

func (m *bareNode) port() string { return "h" + strconv.Itoa(m.index) }

// command is one to be run inside the machine, in its control group.
func (m *bareNode) command(ctx context.Context, argv ...string) *exec.Cmd {
	join := `[ -z "$0" ] || echo $$ >"$0/cgroup.procs"; exec nsenter "$@"`
	args := []string{"-c", join, m.lab.group, "-t", strconv.Itoa(m.box.pid), "-m", "-n", "-u", "-i", "-p", "--"}
	cmd := exec.CommandContext(ctx, "/bin/sh", append(args, argv...)...)
	cmd.Env = append(os.Environ(), m.lab.stack.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd
}

// start starts the daemon; its output goes to the machine's disk.
func (m *bareNode) start(tb testing.TB) {
	tb.Helper()
	log, err := os.OpenFile(filepath.Join(m.dir, "daemon.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		tb.Fatal(err)
	}
	defer log.Close()
	m.daemon = m.command(context.WithoutCancel(tb.Context()), m.lab.stack.argv...)
	m.daemon.Stdout, m.daemon.Stderr = log, log
	if err := m.daemon.Start(); err != nil {
		tb.Fatal(err)
	}
}

// power off is that of a machine that falls silent: its cable is dead before its
// processes are, so that nothing tells of it.
func (m *bareNode) power(silent bool) {
	if m.box == nil {
		return
	}
	if silent {
		_ = m.lab.inHub("ip", "link", "set", m.port(), "nomaster").Run()
	}
	m.box.kill()
	if m.daemon != nil {
		_ = m.daemon.Wait()
	}
	if m.watcher != nil {
		m.watcher.stop()
		<-m.watcher.done
	}
	m.box, m.daemon, m.watcher = nil, nil, nil
}

// log is what the daemon said.
func (m *bareNode) log() string {
	own, _ := os.ReadFile(filepath.Join(m.dir, "daemon.log"))
	file, _ := os.ReadFile(filepath.Join(m.dir, "var/log/corosync.log"))
	return string(own) + string(file)
}

// A count is what a node's daemon tells of its memberships.
type count struct {
	rings, gathers, lost int64  // counters since the daemon's start
	ring                 string // id of the present ring
}

// counted asks a node for its statistics.
func (m *bareNode) counted(ctx context.Context) (count, error) {
	out, err := m.command(ctx, append(append([]string{}, m.lab.stack.cmap...), "-m", "stats")...).Output()
	if err != nil {
		return count{}, fmt.Errorf("%s node%d: %w", m.lab.stack.name, m.index, err)
	}
	c := count{rings: -1}
	for line := range strings.Lines(string(out)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " = ")
		key, _, _ = strings.Cut(key, " ")
		n, _ := strconv.ParseInt(value, 10, 64)
		switch key {
		case "stats.srp.operational_entered":
			c.rings = n
		case "stats.srp.gather_entered":
			c.gathers = n
		case "stats.srp.operational_token_lost":
			c.lost = n
		}
	}
	if c.rings < 0 {
		return c, fmt.Errorf("%s node%d: no statistics:\n%s", m.lab.stack.name, m.index, out)
	}
	out, _ = m.command(ctx, append(append([]string{}, m.lab.stack.quorum...), "-s")...).Output() // 2 without quorum
	_, rest, ok := strings.Cut(string(out), "Ring ID:")
	if !ok {
		return c, fmt.Errorf("%s node%d: no ring id:\n%s", m.lab.stack.name, m.index, out)
	}
	rest, _, _ = strings.Cut(rest, "\n")
	c.ring = strings.TrimSpace(rest)
	return c, nil
}
