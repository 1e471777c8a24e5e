// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package core

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/crmd/fencing"
	"github.com/quorate/quorate/lrmd"
	"github.com/quorate/quorate/transition/graph"
)

const head = `<configuration><crm_config><cluster_property_set id="o">
<nvpair id="o1" name="stonith-enabled" value="%s"/></cluster_property_set></crm_config><nodes/><resources>
<primitive id="r0" class="ocf" provider="pacemaker" type="Dummy"><operations><op id="r0m" name="monitor" interval="10s"/></operations></primitive>
<primitive id="r1" class="ocf" provider="pacemaker" type="Dummy"><operations><op id="r1m" name="monitor" interval="10s"/></operations></primitive>
<primitive id="r2" class="ocf" provider="pacemaker" type="Dummy"><operations><op id="r2m" name="monitor" interval="10s"/></operations></primitive>
%s</resources><constraints/></configuration>`

func plain() string { return fmt.Sprintf(head, "false", "") }

func fencing3() string {
	return fmt.Sprintf(head, "true", `<primitive id="fence" class="stonith" type="fence_sim"><instance_attributes id="fi">
<nvpair id="fi1" name="pcmk_host_list" value="node1 node2 node3 node4 node5"/></instance_attributes></primitive>`)
}

var all = []string{"r0", "r1", "r2"}

func (c *cluster) allRunning() bool {
	for _, r := range all {
		if len(c.check.where(r)) != 1 {
			return false
		}
	}
	return true
}

func formed(t *testing.T, seed uint64, config string) *cluster {
	t.Helper()
	c := newCluster(t, seed, 3, config)
	for i := range c.nodes {
		c.boot(i)
	}
	took := c.waitFor("form and start", 5*time.Second, func() bool { return c.idle() && c.allRunning() })
	if took > time.Second {
		c.fatalf("three nodes that are all there took %v", took)
	}
	return c
}

func TestClusterFormsAndStartsAtOnceWithAllNodesThere(t *testing.T) {
	formed(t, 1, plain())
}

func TestLostNodesResourcesStartElsewhere(t *testing.T) {
	for i := range 3 {
		c := formed(t, uint64(10+i), plain())
		c.crash(i)
		took := c.waitFor("failover", 5*time.Second, func() bool { return c.idle() && c.allRunning() })
		t.Logf("node %d of 3: back after %v, 1 s of it detection", i+1, took)
		if took > 1800*time.Millisecond {
			c.fatalf("failover took %v", took)
		}
	}
}

func TestControllerKilledAloneKeepsEverythingRunning(t *testing.T) {
	for i := range 3 {
		for _, config := range []string{plain(), fencing3()} {
			c := formed(t, uint64(20+i), config)
			starts := c.check.starts
			c.killCRM(i, 100*time.Millisecond)
			c.runFor(50 * time.Millisecond)
			c.waitFor("rejoin", 5*time.Second, c.idle)
			c.runFor(30 * time.Second)
			if !c.idle() || c.check.starts != starts {
				c.fatalf("%d starts after a controller was restarted, idle=%v", c.check.starts-starts, c.idle())
			}
		}
	}
}

func TestFencingComesBeforeAnythingStartsElsewhere(t *testing.T) {
	c := formed(t, 30, fencing3())
	c.crash(0)
	c.waitFor("failover", 5*time.Second, func() bool { return c.idle() && c.allRunning() })
	if c.fenced["node1"] != 1 {
		c.fatalf("node1 fenced %d times", c.fenced["node1"])
	}
}

func TestNothingStartsWhileFencingFails(t *testing.T) {
	c := formed(t, 31, fencing3())
	works := false
	c.fenceOK = func(string) bool { return works }
	starts := c.check.starts
	on := c.runningOn("r0")
	lost := int(on[4] - '1')
	c.crash(lost)
	c.runFor(5 * time.Minute)
	if c.check.starts != starts {
		c.fatalf("something started though the fencing failed")
	}
	tries := 0
	for _, e := range c.dc().core.FenceHistory(on) {
		if e.State == "failed" {
			tries++
		}
	}
	if tries < 3 || tries > 20 {
		c.fatalf("%d attempts in five minutes", tries)
	}
	works = true
	c.waitFor("fencing", 2*time.Minute, func() bool { return c.idle() && c.allRunning() })
}

func TestFailedMonitorRestartsAndCounts(t *testing.T) {
	c := formed(t, 40, plain())
	on := c.runningOn("r0")
	n := c.nodes[on[4]-'1']
	c.tracef("r0 dies on %s", on)
	delete(n.lrm.active, "r0")
	c.check.stop("r0", on)
	c.waitFor("recovery", 15*time.Second, func() bool { return len(c.check.where("r0")) == 1 })
	c.waitFor("idle", 15*time.Second, c.idle)
	if got := n.core.seen.nodes[n.core.uuid()].attrs["fail-count-r0#monitor_10000"]; got != "1" {
		c.fatalf("fail count is %q", got)
	}
}

func TestFailedStartCountsInfinityAndMoves(t *testing.T) {
	c := newCluster(t, 41, 3, plain())
	c.failures["r0 start node1"] = 1
	for i := range c.nodes {
		c.boot(i)
	}
	c.waitFor("start elsewhere", 5*time.Second, func() bool { return c.idle() && c.allRunning() })
}

func TestShutdownDrainsThenLeaves(t *testing.T) {
	for i := range 3 {
		c := formed(t, uint64(50+i), plain())
		n := c.nodes[i]
		n.do(func(now Time) { n.core.RequestShutdown(now, 9999) })
		c.waitFor("drain", 5*time.Second, func() bool { _, ok := n.replies[9999]; return ok })
		if len(n.lrm.active) > 0 {
			c.fatalf("left with %v active", n.lrm.active)
		}
		c.waitFor("others idle", 5*time.Second, func() bool { return c.idle() && c.allRunning() })
		c.crash(i)
		c.runFor(3 * time.Second)
		c.boot(i)
		c.waitFor("return", 5*time.Second, func() bool { return c.idle() && n.core.joined > 0 })
	}
}

// The machine goes off right after its controller has left: the DC's as well as
// another's, and whoever is the DC then must not take it for lost.
func TestAMachineThatDrainedAndWentOffIsNotFenced(t *testing.T) {
	for i := range 3 {
		for _, off := range []time.Duration{0, 3 * time.Millisecond, 20 * time.Millisecond, time.Second} {
			c := formed(t, uint64(80+i), fencing3())
			n := c.nodes[i]
			n.shutDown()
			c.waitFor("drain", 5*time.Second, n.left)
			c.runFor(off)
			c.crash(i)
			c.runFor(5 * time.Second)
			c.waitFor("others idle", 5*time.Second, func() bool { return c.idle() && c.allRunning() })
			if c.fenced[n.name] != 0 {
				c.fatalf("%s fenced %d times, off %s after it left", n.name, c.fenced[n.name], off)
			}
		}
	}
}

func TestRebootedNodeJoinsAgain(t *testing.T) {
	for _, config := range []string{plain(), fencing3()} {
		c := formed(t, 60, config)
		c.crash(1)
		c.waitFor("failover", 5*time.Second, func() bool { return c.idle() && c.allRunning() })
		c.boot(1)
		c.runFor(50 * time.Millisecond)
		c.waitFor("rejoin", 5*time.Second, func() bool { return c.idle() && c.nodes[1].core.joined > 0 })
		c.runFor(time.Minute)
		if !c.allRunning() {
			c.fatalf("not all running")
		}
	}
}

func TestAllNodesMayShutDownAtOnce(t *testing.T) {
	c := formed(t, 71, plain())
	for _, n := range c.nodes {
		n.do(func(now Time) { n.core.RequestShutdown(now, 9999) })
	}
	c.waitFor("shutdown", time.Minute, func() bool {
		for _, n := range c.nodes {
			if _, ok := n.replies[9999]; !ok {
				return false
			}
		}
		return true
	})
	for _, n := range c.nodes {
		if len(n.lrm.active) > 0 {
			c.fatalf("%s left with %v active", n.name, n.lrm.active)
		}
	}
}

func TestANodeWithoutADCStopsItsOwnResources(t *testing.T) {
	c := formed(t, 72, plain())
	on := c.runningOn("r0")
	n := c.nodes[on[4]-'1']
	n.inGroup = false
	n.do(func(now Time) { n.core.GroupLost(now) })
	c.after(0, func() { n.do(func(now Time) { n.core.RequestShutdown(now, 9999) }) })
	c.waitFor("shutdown", time.Minute, func() bool { _, ok := n.replies[9999]; return ok })
	if len(n.lrm.active) > 0 {
		c.fatalf("left with %v active", n.lrm.active)
	}
}

// Without fencing a node that is cut off must have stopped before the others
// start: the DC of the majority gives it time.
func TestACutOffNodeStopsBeforeTheMajorityStarts(t *testing.T) {
	for seed := range uint64(30) {
		c := formed(t, 100+seed, plain())
		cut := int(seed % 3)
		c.split(map[int]int{cut: 1})
		c.runFor(1500 * time.Millisecond)
		c.waitFor("majority", 10*time.Second, func() bool { return c.idle() && c.allRunning() })
		c.heal()
		c.runFor(100 * time.Millisecond)
		c.waitFor("whole", 10*time.Second, func() bool { return c.idle() && c.allRunning() })
		c.runFor(20 * time.Second)
		if !c.idle() || !c.allRunning() {
			c.fatalf("not at rest after the heal")
		}
	}
}

// What runs in the executor while its controller is killed is not in the
// executor's results. The next controller must tell of it all the same.
func TestAStartInFlightSurvivesItsController(t *testing.T) {
	for seed := range uint64(10) {
		c := newCluster(t, 200+seed, 3, plain())
		for i := range c.nodes {
			c.boot(i)
		}
		c.slow["r0 start"] = 10 * time.Second
		c.waitFor("start under way", 5*time.Second, func() bool { return len(c.check.where("r0")) == 1 })
		c.runFor(100 * time.Millisecond)
		on := c.runningOn("r0")
		i := int(on[4] - '1')
		c.killCRM(i, 50*time.Millisecond)
		c.runFor(60 * time.Millisecond)
		other := c.nodes[(i+1)%3]
		other.write(0, func(o *simNode) (cib.Version, error) {
			return o.attr(cib.AttrUpdate{Node: on, Name: "standby", Value: "on"})
		})
		c.runFor(5 * time.Second)
		c.waitFor("rest", 30*time.Second, func() bool { return c.idle() && c.allRunning() && c.runningOn("r0") != on })
	}
}

// A recurring operation whose first result is not there yet when the stop comes
// must not go on after it.
func TestAStopEndsAMonitorThatHasNoResultYet(t *testing.T) {
	c := formed(t, 220, plain())
	on := c.runningOn("r0")
	n := c.nodes[on[4]-'1']
	agent := n.core.lrm.node.Resource("r0").Agent
	op := func(action string, every time.Duration, id int) lrmd.Op {
		return lrmd.Op{
			Resource: "r0", Agent: agent, Action: action, Interval: every, Params: map[string]string{},
			UserData: graph.Key{ActionID: id, TransitionID: -1, UUID: n.core.cfg.NewID()}.String(),
		}
	}
	n.core.invokeOp(op("monitor", 7*time.Second, 1))
	n.core.invokeOp(op("stop", 0, 2))
	var got []string
	for _, e := range n.core.Take() {
		switch e := e.(type) {
		case Execute:
			got = append(got, e.Op.Action)
		case CancelOp:
			got = append(got, fmt.Sprint("cancel ", e.Action, " ", e.Interval))
		}
	}
	want := []string{"monitor", "cancel monitor 10s", "cancel monitor 7s", "stop"}
	if !slices.Equal(got, want) {
		c.fatalf("the executor is asked for %q, not %q", got, want)
	}
}

// The answer to a fencing run that a killed controller had asked for may come
// when its successor on the same node runs another one.
func TestFencingRunsOfTwoControllersOfANodeDiffer(t *testing.T) {
	run := func(boot string) string {
		c := New(DefaultConfig(1, "node1", func() string { return boot }))
		c.Start(Time{})
		out := c.fence.Start(0, epoch, fencing.Request{ID: "op", Target: "node3", Action: "off", Timeout: time.Minute},
			[][]fencing.Device{{{ID: "d"}}}, []fencing.Runner{{Name: "node2"}})
		if len(out.Runs) != 1 {
			t.Fatalf("%d runs", len(out.Runs))
		}
		return out.Runs[0].ID
	}
	if a, b := run("first"), run("second"); a == b {
		t.Errorf("both runs are %q", a)
	}
}

// A result may come while its node joins a new DC: between the moment at which
// the node tells what it knows and that at which this stands in the CIB.
func TestAResultDuringAJoinIsNotLost(t *testing.T) {
	here := ""
	for _, r := range all {
		here += fmt.Sprintf(`<rsc_location id="l%s" rsc="%s" node="node3" score="1000"/>`, r, r)
	}
	config := strings.Replace(plain(), "<constraints/>", "<constraints>"+here+"</constraints>", 1)
	for at := range 60 {
		c := newCluster(t, 300+uint64(at), 3, config)
		c.slow["r0 start"], c.slow["r1 start"], c.slow["r2 start"] = time.Second, 1003*time.Millisecond, 1010*time.Millisecond
		c.writeTakes["node2"] = 20 * time.Millisecond // the next DC has much to write
		for i := range c.nodes {
			c.boot(i)
			c.runFor(50 * time.Millisecond) // node3 is the youngest, so that it is no DC
		}
		c.waitFor("starts under way", 5*time.Second, func() bool { return c.allRunning() && c.dc() != nil })
		dc := c.dc()
		c.runFor(980*time.Millisecond + time.Duration(at)*time.Millisecond/2)
		c.killCRM(dc.i, 500*time.Millisecond)
		c.runFor(8 * time.Second)
		c.waitFor("rest", 30*time.Second, func() bool { return c.idle() && c.allRunning() && dc.crm && dc.core.joined > 0 })
		if c.check.starts != len(all) {
			c.fatalf("%d starts of %d resources", c.check.starts, len(all))
		}
		c.historiesAreTrue()
	}
}
