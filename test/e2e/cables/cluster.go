// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package cables

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Options says what to make.
type Options struct {
	Nodes, Links int
	// Six gives the nodes IPv6 addresses.
	Six bool
	// Totem and Interface are lines for these sections of the configuration, the
	// latter by link.
	Totem     string
	Interface map[int]string
	// System are lines of the section of that name.
	System string
	// Under is a command that runs the daemon.
	Under []string
	// NoList leaves the nodelist out: transport udp with bindnetaddr.
	NoList bool
}

// A Cluster is a set of nodes and the switches between them.
type Cluster struct {
	opt   Options
	dir   string
	bin   string // the daemon
	hub   *space
	Nodes []*Node // node1 first
}

// A Node is one daemon in its namespace.
type Node struct {
	Number int
	c      *Cluster
	space  *space
	root   string
	cmd    *exec.Cmd
	ended  chan struct{}
}

// New makes the network and the files of a cluster in dir, for the daemon bin.
// Nothing runs yet.
func New(opt Options, dir, bin string) (*Cluster, error) {
	c := &Cluster{opt: opt, dir: dir, bin: bin}
	var err error
	if c.hub, err = newSpace(); err != nil {
		return nil, err
	}
	for l := range opt.Links {
		if err := newSwitch(c.hub, l); err != nil {
			return nil, errors.Join(err, c.Down())
		}
	}
	key := make([]byte, 128)
	_, _ = rand.Read(key) // never fails
	for i := range opt.Nodes {
		n := &Node{Number: i + 1, c: c, root: filepath.Join(dir, nodeName(i+1))}
		if err := n.make(key); err != nil {
			return nil, errors.Join(err, c.Down())
		}
		c.Nodes = append(c.Nodes, n)
	}
	return c, nil
}

func (n *Node) make(key []byte) (err error) {
	if n.space, err = newSpace(); err != nil {
		return err
	}
	for l := range n.c.opt.Links {
		if err := wire(n.c.hub, n.space, n.Number, l); err != nil {
			return err
		}
		if err := n.space.address(ifaceName(l), Address(n.Number, l, n.c.opt.Six), true); err != nil {
			return err
		}
	}
	etc := filepath.Join(n.root, "etc/corosync")
	if err := os.MkdirAll(etc, 0o755); err != nil {
		return fmt.Errorf("cables: %w", err)
	}
	return errors.Join(
		os.WriteFile(filepath.Join(n.root, "etc/hostname"), []byte(nodeName(n.Number)+"\n"), 0o644),
		os.WriteFile(filepath.Join(etc, "authkey"), key, 0o400),
		os.WriteFile(filepath.Join(etc, "corosync.conf"), []byte(n.c.conf(n.Number)), 0o644),
	)
}

func (c *Cluster) conf(self int) string {
	var b strings.Builder
	if c.opt.System != "" {
		b.WriteString("system {\n" + c.opt.System + "}\n")
	}
	b.WriteString("totem {\n\tversion: 2\n\tcluster_name: cables\n" + c.opt.Totem)
	for l := range c.opt.Links {
		text := c.opt.Interface[l]
		if c.opt.NoList {
			text += "\t\tbindnetaddr: " + Address(self, l, c.opt.Six).String() + "\n"
		}
		if text != "" {
			fmt.Fprintf(&b, "\tinterface {\n\t\tlinknumber: %d\n%s\t}\n", l, text)
		}
	}
	if c.opt.NoList {
		fmt.Fprintf(&b, "\tnodeid: %d\n}\nquorum {\n\tprovider: corosync_votequorum\n\texpected_votes: %d\n}\n", self, c.opt.Nodes)
		return b.String()
	}
	b.WriteString("}\nnodelist {\n")
	for i := 1; i <= c.opt.Nodes; i++ {
		fmt.Fprintf(&b, "\tnode {\n\t\tname: %s\n\t\tnodeid: %d\n", nodeName(i), i)
		for l := range c.opt.Links {
			fmt.Fprintf(&b, "\t\tring%d_addr: %s\n", l, Address(i, l, c.opt.Six))
		}
		b.WriteString("\t}\n")
	}
	b.WriteString("}\nquorum {\n\tprovider: corosync_votequorum\n}\n")
	return b.String()
}

// Start runs the node's daemon; its log goes to a file.
func (n *Node) Start() error {
	log, err := os.OpenFile(n.logName(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("cables: %w", err)
	}
	defer log.Close()
	cmd, done := n.space.command(slices.Concat(n.c.opt.Under, []string{n.c.bin, "--root", n.root})...)
	defer done()
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("cables: %w", err)
	}
	n.cmd, n.ended = cmd, make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(n.ended)
	}()
	return nil
}

func (n *Node) logName() string { return filepath.Join(n.root, "log") }

// Log returns what the daemon has logged.
func (n *Node) Log() string {
	text, _ := os.ReadFile(n.logName())
	return string(text)
}

// Socket is where the daemon serves clients.
func (n *Node) Socket() string { return filepath.Join(n.root, "run/quorate/messagingd.sock") }

// Kill ends the daemon at once.
func (n *Node) Kill() {
	if n.cmd != nil {
		_ = n.cmd.Process.Kill()
		<-n.ended
		n.cmd = nil
	}
}

// Down ends all daemons and the network.
func (c *Cluster) Down() error {
	for _, n := range c.Nodes {
		n.Kill()
		n.space.close()
	}
	c.hub.close()
	return nil
}

// Cable pulls a node's cable out of the switch, or plugs it in.
func (n *Node) Cable(link int, in bool) error { return n.c.hub.set(plugName(n.Number, link), in) }

// Interface sets a node's interface down (the kernel forgets its routes, and its
// IPv6 addresses) or up; Address takes its address away or gives it back.
func (n *Node) Interface(link int, up bool) error {
	return n.space.set(ifaceName(link), up)
}

// Address takes the node's address on a link away or gives it back.
func (n *Node) Address(link int, there bool) error {
	return n.space.address(ifaceName(link), Address(n.Number, link, n.c.opt.Six), there)
}

// MTU makes a node's own end of a cable narrow: its kernel knows.
func (n *Node) MTU(link, size int) error { return n.space.mtu(ifaceName(link), size) }

// table holds the rules of a node.
const table = "cables"

// Rules replaces the rules by which the node loses what comes in: nft's words
// for what a packet is like, of which each is one rule.
func (n *Node) Rules(rules ...string) error {
	var b strings.Builder
	b.WriteString("table inet " + table + "; delete table inet " + table + "; table inet " + table + " { chain in { type filter hook prerouting priority -300; ")
	for _, r := range rules {
		b.WriteString(r + " drop; ")
	}
	return n.space.run("nft", b.String()+"}; }")
}

// From is the rule for packets of a node on a link.
func (n *Node) From(link int) string {
	family := "ip"
	if n.c.opt.Six {
		family = "ip6"
	}
	return fmt.Sprintf("%s saddr %s", family, Address(n.Number, link, n.c.opt.Six))
}

// On is the rule for packets on a link.
func On(link int) string { return "iifname " + ifaceName(link) }

// LargerThan is the rule for packets above a size, with all headers.
func LargerThan(size int) string { return "meta length > " + strconv.Itoa(size) }

// Percent is the rule for a share of the packets.
func Percent(share int) string { return "numgen random mod 100 < " + strconv.Itoa(share) }
