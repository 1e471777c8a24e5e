// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package bare

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// nobody is who the nodes are run as where the test program is root.
const nobody = 65534

// A Cluster is a set of nodes on this machine.
type Cluster struct {
	// Dir is the folder of all its files.
	Dir    string
	bin    string // programs
	agents string // OCF agents
	nodes  []*Node
}

// A Node is one of them.
type Node struct {
	Name    string
	Address netip.Addr
	cluster *Cluster
	root    string
}

// New makes the folders of n nodes that use the programs in bin, with the agents
// of a source tree. Nothing runs yet.
func New(n int, bin, tree string) (*Cluster, error) {
	dir, err := os.MkdirTemp("", "quorate-bare-")
	if err != nil {
		return nil, fmt.Errorf("bare: %w", err)
	}
	c := &Cluster{Dir: dir, bin: bin, agents: filepath.Join(tree, "agents/scripts/ocf")}
	key := make([]byte, 128)
	_, _ = rand.Read(key) // never fails
	for i := range n {
		name := "node" + strconv.Itoa(i+1)
		node := &Node{Name: name, Address: c.address(i + 1), cluster: c, root: filepath.Join(dir, name)}
		c.nodes = append(c.nodes, node)
		if err := node.write(key, c.conf(n)); err != nil {
			return nil, err
		}
	}
	if os.Geteuid() == 0 {
		err = c.give()
	}
	return c, err
}

// address is in a net that is this process's own, as far as 127/8 allows.
func (c *Cluster) address(i int) netip.Addr {
	pid := os.Getpid()
	return netip.AddrFrom4([4]byte{127, byte(64 + pid>>8&0x3f), byte(pid), byte(i)})
}

// Service is an address that every node has, for a service that moves.
func (c *Cluster) Service() netip.AddrPort { return netip.AddrPortFrom(c.address(100), 18080) }

func (c *Cluster) conf(n int) string {
	var b strings.Builder
	b.WriteString("totem {\n\tversion: 2\n\tcluster_name: bare\n\ttransport: udpu\n}\nnodelist {\n")
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&b, "\tnode {\n\t\tname: node%d\n\t\tnodeid: %d\n\t\tring0_addr: %s\n\t}\n", i, i, c.address(i))
	}
	b.WriteString("}\nquorum {\n\tprovider: corosync_votequorum\n}\nlogging {\n\tto_syslog: no\n}\n")
	return b.String()
}

func (n *Node) write(key []byte, conf string) error {
	etc := filepath.Join(n.root, "etc")
	if err := os.MkdirAll(filepath.Join(etc, "corosync"), 0o755); err != nil {
		return fmt.Errorf("bare: %w", err)
	}
	for _, f := range []struct {
		name string
		mode os.FileMode
		text []byte
	}{{"hostname", 0o644, []byte(n.Name + "\n")}, {"corosync/corosync.conf", 0o644, []byte(conf)}, {"corosync/authkey", 0o400, key}} {
		if err := os.WriteFile(filepath.Join(etc, f.name), f.text, f.mode); err != nil {
			return fmt.Errorf("bare: %w", err)
		}
	}
	return nil
}

// give makes the folders nobody's.
func (c *Cluster) give() error {
	return filepath.Walk(c.Dir, func(path string, _ os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, nobody, nobody)
	})
}

// Nodes returns all nodes.
func (c *Cluster) Nodes() []*Node { return c.nodes }

// Down ends every process of the cluster and removes its folder.
func (c *Cluster) Down() error {
	for _, n := range c.nodes {
		n.Kill()
	}
	if err := os.RemoveAll(c.Dir); err != nil {
		return fmt.Errorf("bare: %w", err)
	}
	return nil
}

func (n *Node) command(ctx context.Context, argv ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(n.cluster.bin, "quorate"), argv...)
	cmd.Dir = n.root
	cmd.Env = []string{
		"PATH=" + n.cluster.bin + ":/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + n.root, "LANG=C.UTF-8",
		"QUORATE_ROOT=" + n.root, "QUORATE_PROGRAM=" + filepath.Join(n.cluster.bin, "quorate"), "OCF_RA_PATH=" + n.cluster.agents,
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if os.Geteuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	return cmd
}

// Start starts the node's daemons; their log goes to a file.
func (n *Node) Start() error {
	// A boot begins with an empty /run.
	if err := os.RemoveAll(filepath.Join(n.root, "run")); err != nil {
		return fmt.Errorf("bare: %w", err)
	}
	log, err := os.OpenFile(n.logName(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("bare: %w", err)
	}
	defer log.Close()
	cmd := n.command(context.Background(), "run", "--root", n.root)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("bare: %s: %w", n.Name, err)
	}
	go func() { _ = cmd.Wait() }()
	return nil
}

func (n *Node) logName() string { return filepath.Join(n.root, "log") }

// Log returns what the daemons have logged.
func (n *Node) Log() string {
	text, _ := os.ReadFile(n.logName())
	return string(text)
}

// Tool runs an operator tool on the node and returns its output and exit code.
func (n *Node) Tool(ctx context.Context, argv ...string) (stdout, stderr string, code int) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var out, complaint bytes.Buffer
	cmd := n.command(ctx, argv...)
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		return "", err.Error(), -1
	}
	return out.String(), complaint.String(), cmd.ProcessState.ExitCode()
}

// Kill is power loss: every process of the node, also what its agents started,
// is gone.
func (n *Node) Kill() {
	for range 10 {
		found := n.processes("")
		if len(found) == 0 {
			return
		}
		for _, p := range found {
			_ = syscall.Kill(p, syscall.SIGKILL)
		}
	}
}

// KillDaemon kills one daemon of the node and returns how many there were.
func (n *Node) KillDaemon(name string) int {
	found := n.processes(name)
	for _, p := range found {
		_ = syscall.Kill(p, syscall.SIGKILL)
	}
	return len(found)
}

// processes lists the node's processes; name "" is any.
func (n *Node) processes(name string) []int { return Processes(n.root, name) }

// Processes lists the processes of a node below root by what is in their
// environment, or those of a name among them.
func Processes(root, name string) []int {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	want := []byte("QUORATE_ROOT=" + root + "\x00")
	var out []int
	for _, d := range dirs {
		env, err := os.ReadFile(d + "/environ")
		if err != nil || !bytes.Contains(append(env, 0), want) {
			continue
		}
		if comm, _ := os.ReadFile(d + "/comm"); name != "" && strings.TrimSpace(string(comm)) != name {
			continue
		}
		if p, err := strconv.Atoi(filepath.Base(d)); err == nil {
			out = append(out, p)
		}
	}
	return out
}

// Configure changes the node's corosync.conf.
func (n *Node) Configure(change func(conf string) string) error {
	path := filepath.Join(n.root, "etc/corosync/corosync.conf")
	b, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, []byte(change(string(b))), 0o644)
	}
	if err != nil {
		return fmt.Errorf("bare: configure %s: %w", n.Name, err)
	}
	return nil
}

// Link makes a file that nodes share appear at a path of the node.
func (n *Node) Link(shared, path string) error {
	if err := os.Symlink(shared, filepath.Join(n.root, path)); err != nil {
		return fmt.Errorf("bare: share a file with %s: %w", n.Name, err)
	}
	return nil
}
