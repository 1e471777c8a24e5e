// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/quorate/quorate/test/e2e/lab"
)

// What a cluster may take, on a machine that does other things too. What it
// ought to take is asserted where it is measured.
const (
	formTimeout   = 60 * time.Second
	settleTimeout = 30 * time.Second
	toolTimeout   = 20 * time.Second
)

// What there may be only one of.
var (
	addressThing = lab.FloatingAddress(floating)
	mountThing   = lab.MountedOn(lab.WebRoot)
	serverThing  = lab.ListeningOn(80)
)

// A cluster is the lab while a test uses it.
type cluster struct {
	*lab.Lab
	t   *testing.T
	key []byte
	// size is the number of nodes configured; later ones stay off.
	size    int
	witness *lab.Witness
}

// newCluster boots the first size nodes with a configuration and starts the
// witness. Nothing of the stack runs yet.
func newCluster(t *testing.T, size int, quorum ...string) *cluster {
	t.Helper()
	c := &cluster{Lab: machines(t), t: t, key: lab.NewKey(), size: size}
	t.Cleanup(c.finish)
	var g errgroup.Group
	for _, n := range c.members() {
		c.configureNode(n, lab.CorosyncConf(size, quorum...))
		g.Go(func() error { return n.Boot(t.Context()) })
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	c.witness = c.Watch(addressThing, mountThing, serverThing)
	return c
}

// startedCluster is newCluster with the stack started and all nodes online.
func startedCluster(t *testing.T, size int, quorum ...string) *cluster {
	t.Helper()
	c := newCluster(t, size, quorum...)
	c.start(c.members()...)
	c.awaitOnline(c.members()...)
	return c
}

func (c *cluster) members() []*lab.Node { return c.Nodes()[:c.size] }

func (c *cluster) configureNode(n *lab.Node, conf string) {
	c.t.Helper()
	err := errors.Join(n.WriteFile("/etc/corosync/corosync.conf", 0o644, conf), n.WriteFile("/etc/corosync/authkey", 0o400, string(c.key)))
	if err != nil {
		c.t.Fatal(err)
	}
}

// finish ends a test: the logs of a failed one are kept, and no test may have
// seen anything twice.
func (c *cluster) finish() {
	if c.witness != nil {
		c.witness.Stop()
		for _, s := range c.witness.Doubles() {
			c.t.Errorf("twice: %v", s)
		}
		if g := c.witness.Gap(); g > 10*lab.WitnessPeriod {
			c.t.Logf("the witness did not look for %v", g)
		}
	}
	if !c.t.Failed() {
		return
	}
	if c.witness != nil {
		for _, s := range c.witness.Timeline() {
			c.t.Log(s)
		}
	}
	dir := filepath.Join(logFolder(), strings.ReplaceAll(c.t.Name(), "/", "_"))
	// The test's own context has ended by now.
	ctx, cancel := context.WithTimeout(context.Background(), toolTimeout)
	defer cancel()
	if err := c.SaveLogs(ctx, dir); err != nil {
		c.t.Log(err)
	}
	c.t.Log("logs: ", dir)
}

func logFolder() string {
	if dir := os.Getenv("E2E_LOGS"); dir != "" {
		return dir
	}
	return filepath.Join(os.TempDir(), "quorate-e2e-logs")
}

// units are the systemd units that make a node a member: those of Quorate, or
// those of the stack to compare with.
func units() []string {
	if u := os.Getenv("E2E_UNITS"); u != "" {
		return strings.Fields(u)
	}
	return []string{"quorate.target"}
}

// start starts the stack on nodes at once.
func (c *cluster) start(nodes ...*lab.Node) { c.systemctl("start", nodes...) }

// stop stops it, the resource manager first.
func (c *cluster) stop(nodes ...*lab.Node) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), formTimeout)
	defer cancel()
	var g errgroup.Group
	for _, n := range nodes {
		g.Go(func() error {
			return n.Exec(ctx, "systemctl", "stop", "pacemaker.service", "corosync.service").Err()
		})
	}
	if err := g.Wait(); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) systemctl(verb string, nodes ...*lab.Node) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), formTimeout)
	defer cancel()
	var g errgroup.Group
	for _, n := range nodes {
		g.Go(func() error { return n.Exec(ctx, append([]string{"systemctl", verb}, units()...)...).Err() })
	}
	if err := g.Wait(); err != nil {
		c.t.Fatal(err)
	}
}

// boot powers nodes on again and starts the stack there.
func (c *cluster) boot(nodes ...*lab.Node) {
	c.t.Helper()
	for _, n := range nodes {
		if err := n.Boot(c.t.Context()); err != nil {
			c.t.Fatal(err)
		}
	}
	c.start(nodes...)
}

// awaitOnline waits until each of the nodes sees just these online, a DC and
// quorum, and returns how long that took.
func (c *cluster) awaitOnline(nodes ...*lab.Node) time.Duration {
	c.t.Helper()
	want := names(nodes)
	return lab.Until(c.t, formTimeout, "online: "+strings.Join(want, " "), func() error {
		for _, n := range nodes {
			s, err := n.Status(c.t.Context())
			if err != nil {
				return err
			}
			switch {
			case !slices.Equal(s.Online(), want):
				return fmt.Errorf("%s sees %v online", n.Name, s.Online())
			case !s.Summary.DC.Present || !s.Summary.DC.Quorum:
				return fmt.Errorf("%s sees DC %q, quorum %t", n.Name, s.Summary.DC.Name, s.Summary.DC.Quorum)
			}
		}
		return nil
	})
}

func names(nodes []*lab.Node) []string {
	var out []string
	for _, n := range nodes {
		out = append(out, n.Name)
	}
	slices.Sort(out)
	return out
}

// run runs a command on a node; the test ends when it fails.
func (c *cluster) run(n *lab.Node, argv ...string) string {
	c.t.Helper()
	r := c.try(n, argv...)
	if r.Code != 0 {
		c.t.Fatal(r)
	}
	return r.Stdout
}

// try runs a command on a node that may fail, but not hang.
func (c *cluster) try(n *lab.Node, argv ...string) lab.Result {
	limit := toolTimeout
	if argv[0] == "systemctl" {
		limit = formTimeout
	}
	ctx, cancel := context.WithTimeout(c.t.Context(), limit)
	defer cancel()
	return n.Exec(ctx, argv...)
}

// dc is the node that its own and every other node's view calls the DC.
func (c *cluster) dc() *lab.Node {
	c.t.Helper()
	var dc *lab.Node
	lab.Until(c.t, settleTimeout, "a DC", func() error {
		for _, n := range c.members() {
			if !n.Running() {
				continue
			}
			s, err := n.Status(c.t.Context())
			if err != nil {
				return err
			}
			if dc = c.ByName(s.Summary.DC.Name); dc == nil {
				return fmt.Errorf("%s knows no DC", n.Name)
			}
			return nil
		}
		return errors.New("no node is on")
	})
	return dc
}

// other returns a member that is on and none of those given.
func (c *cluster) other(not ...*lab.Node) *lab.Node {
	c.t.Helper()
	for _, n := range c.members() {
		if n.Running() && !slices.Contains(not, n) {
			return n
		}
	}
	c.t.Fatal("no other node is on")
	return nil
}

// awaitStatus waits until a node's crm_mon says what it should.
func (c *cluster) awaitStatus(n *lab.Node, limit time.Duration, what string, check func(*lab.Status) error) time.Duration {
	c.t.Helper()
	return lab.Until(c.t, limit, what, func() error {
		s, err := n.Status(c.t.Context())
		if err != nil {
			return err
		}
		return check(s)
	})
}

// holder waits until exactly one node holds the address, the mount and the
// server, and returns it.
func (c *cluster) holder(limit time.Duration) *lab.Node {
	c.t.Helper()
	var who *lab.Node
	lab.Until(c.t, limit, "one holder of the web group", func() error {
		a, m, s := c.witness.Holders(addressThing), c.witness.Holders(mountThing), c.witness.Holders(serverThing)
		if len(a) != 1 || !slices.Equal(a, m) || !slices.Equal(a, s) {
			return fmt.Errorf("address %v, mount %v, server %v", a, m, s)
		}
		who = c.ByName(a[0])
		return nil
	})
	return who
}

// nobody tells who holds a thing, if anybody does.
func (c *cluster) nobody(thing lab.Thing) func() error {
	return func() error {
		if h := c.witness.Holders(thing); len(h) > 0 {
			return fmt.Errorf("%s: %s", thing.Name, strings.Join(h, " "))
		}
		return nil
	}
}

// moved waits until the web group is whole on a node other than one.
func (c *cluster) moved(from *lab.Node, limit time.Duration) *lab.Node {
	c.t.Helper()
	var to *lab.Node
	lab.Until(c.t, limit, "the web group leaves "+from.Name, func() error {
		to = c.holder(limit)
		if to == from {
			return fmt.Errorf("it is on %s", to.Name)
		}
		return nil
	})
	return to
}

// figure prints a measured time, in a form that is easy to collect.
func (c *cluster) figure(what string, d time.Duration) {
	c.t.Logf("FIGURE %s: %.2f s", what, d.Seconds())
}
