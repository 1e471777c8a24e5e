// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"golang.org/x/sync/errgroup"
)

// Options says what to make.
type Options struct {
	// Nodes is the number of machines, node1 to nodeN; at most 50.
	Nodes int
	// Image is a folder with what to lay over this machine's root in place of the
	// result of make install: another build, or another stack to compare with.
	Image string
	// Log takes one line of progress at a time.
	Log func(format string, args ...any)
}

// A Lab is a set of machines on one bridge.
type Lab struct {
	dir    string // all that the lab wrote
	opt    Options
	hub    *hub
	nodes  []*Node
	fence  *Fence
	reaper io.Closer // closing it tells the reaper that all is done
}

// Missing tells in one line why this machine cannot run a lab, or "".
func Missing() string {
	if os.Geteuid() != 0 {
		return "the lab needs root (network namespaces, systemd-nspawn)"
	}
	for _, p := range []string{"systemd-nspawn", "nsenter", "nft", "nginx", "curl"} {
		if _, err := exec.LookPath(p); err != nil {
			return fmt.Sprintf("the lab needs %s: install the packages of test/e2e/packages.txt", p)
		}
	}
	return ""
}

// Start builds and installs the stack, makes the machines and boots them.
func Start(ctx context.Context, opt Options) (*Lab, error) {
	if opt.Nodes < 1 || opt.Nodes > 50 {
		return nil, fmt.Errorf("lab: %d nodes", opt.Nodes)
	}
	if opt.Log == nil {
		opt.Log = func(string, ...any) {}
	}
	dir, err := os.MkdirTemp("", "quorate-lab-")
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	l := &Lab{dir: dir, opt: opt}
	if err := l.make(ctx); err != nil {
		return nil, errors.Join(err, l.Down())
	}
	return l, nil
}

func (l *Lab) make(ctx context.Context) (err error) {
	if l.reaper, err = startReaper(l.dir); err != nil {
		return err
	}
	l.opt.Log("lab: installing")
	if err := l.install(ctx); err != nil {
		return err
	}
	if l.hub, err = newHub(); err != nil {
		return err
	}
	if l.fence, err = newFence(l); err != nil {
		return err
	}
	for i := range l.opt.Nodes {
		name := "node" + strconv.Itoa(i+1)
		n := &Node{lab: l, index: i + 1, Name: name, dir: filepath.Join(l.dir, name)}
		if err := n.create(ctx); err != nil {
			return err
		}
		l.nodes = append(l.nodes, n)
	}
	l.opt.Log("lab: booting %d nodes", l.opt.Nodes)
	return l.Boot(ctx)
}

// Boot powers on every node that is off.
func (l *Lab) Boot(ctx context.Context) error {
	var g errgroup.Group
	for _, n := range l.nodes {
		if !n.Running() {
			g.Go(func() error { return n.Boot(ctx) })
		}
	}
	return g.Wait()
}

// Nodes returns all nodes.
func (l *Lab) Nodes() []*Node { return l.nodes }

// Node returns node i, counted from 1.
func (l *Lab) Node(i int) *Node { return l.nodes[i-1] }

// ByName returns the node of that name, or nil.
func (l *Lab) ByName(name string) *Node {
	for _, n := range l.nodes {
		if n.Name == name {
			return n
		}
	}
	return nil
}

// Fence returns the lab's fencing device.
func (l *Lab) Fence() *Fence { return l.fence }

// Renew gives every node the disk it was made with: all are powered off and
// what they wrote is thrown away. They stay off.
func (l *Lab) Renew(ctx context.Context) error {
	l.fence.reset()
	var g errgroup.Group
	for _, n := range l.nodes {
		g.Go(func() error {
			n.Kill()
			return n.renew(ctx)
		})
	}
	return g.Wait()
}

// Down powers everything off and removes it.
func (l *Lab) Down() error {
	if l.fence != nil {
		l.fence.stop()
	}
	for _, n := range l.nodes {
		n.Kill()
	}
	if l.hub != nil {
		l.hub.close()
	}
	err := destroy(l.dir)
	if l.reaper != nil {
		_ = l.reaper.Close()
	}
	return err
}

// SaveLogs copies what tells of a run into a folder: each node's journal and
// console, and the CIB that it has on disk.
func (l *Lab) SaveLogs(ctx context.Context, to string) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	var errs []error
	for _, n := range l.nodes {
		errs = append(errs, n.saveLogs(ctx, to))
	}
	return errors.Join(errs...)
}
