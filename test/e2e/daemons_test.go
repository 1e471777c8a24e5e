// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package e2e

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/quorate/quorate/test/e2e/lab"
)

// A daemonName is one that is killed, and whether what runs on its node must go
// on as the same processes.
type daemonName struct {
	name       string
	keepsGoing bool
}

// daemons are those of a node. Where messaging dies its node is out of the
// cluster for a moment, and its resources may be taken over; where any other
// dies, the real stack leaves what runs alone.
func daemons() []daemonName {
	if os.Getenv("E2E_UNITS") != "" {
		return []daemonName{
			{"corosync", false},
			{"pacemaker-based", true},
			{"pacemaker-execd", true},
			{"pacemaker-schedulerd", true},
			{"pacemaker-controld", true},
			{"pacemaker-attrd", true},
			{"pacemaker-fenced", true},
		}
	}
	return []daemonName{{"messagingd", false}, {"cibd", true}, {"lrmd", true}, {"pengined", true}, {"transitiond", true}, {"crmd", true}}
}

// Row 7: kill -9 of each daemon in turn, on the DC and on another node.
func TestKilledDaemonsComeBackAndNothingRunsTwice(t *testing.T) {
	c := startedCluster(t, 3)
	active := c.startWeb(noFencing)
	for _, onDC := range []bool{true, false} {
		for _, d := range daemons() {
			victim := c.dc()
			role := "the DC"
			if !onDC {
				victim, role = c.other(victim), "another node"
			}
			t.Run(d.name+" on "+role, func(t *testing.T) {
				sub := *c
				sub.t = t
				// The group is where it hurts.
				active = sub.place(active, onDC)
				if !onDC && active != victim {
					victim = active
				}
				active = sub.killDaemon(victim, active, d)
			})
			if t.Failed() {
				return // the state that the next would begin with is in doubt
			}
		}
	}
}

// killDaemon kills one daemon, waits until the cluster is whole again, and
// returns the node that has the group.
func (c *cluster) killDaemon(victim, active *lab.Node, d daemonName) *lab.Node {
	c.t.Helper()
	before := c.run(active, "systemctl", "show", "-P", "MainPID", lab.WebUnit)
	old := victim.Processes(d.name)
	if victim.Signal(d.name, syscall.SIGKILL) != 1 {
		c.t.Fatalf("%s on %s: %v processes, want one", d.name, victim.Name, old)
	}
	lab.Until(c.t, settleTimeout, d.name+" is back", func() error {
		if now := victim.Processes(d.name); len(now) != 1 || now[0] == old[0] {
			return fmt.Errorf("processes %v, were %v", now, old)
		}
		return nil
	})
	took := c.awaitOnline(c.members()...)
	now := c.holder(settleTimeout)
	c.awaitStatus(now, settleTimeout, "the group is started", webRuns(now))
	c.awaitIdle()
	c.figure("kill -9 of "+d.name+": whole again", took)
	if !d.keepsGoing {
		return now
	}
	after := c.run(now, "systemctl", "show", "-P", "MainPID", lab.WebUnit)
	if now != active || after != before {
		c.t.Errorf("the web server was process %s on %s and is %s on %s", strings.TrimSpace(before), active.Name, strings.TrimSpace(after), now.Name)
	}
	return now
}

// awaitIdle waits until the DC has nothing left to do.
func (c *cluster) awaitIdle() {
	c.t.Helper()
	lab.Until(c.t, settleTimeout, "the DC is idle", func() error {
		dc := c.dc()
		if r := c.try(dc, "crmadmin", "-S", dc.Name); !strings.Contains(r.Stdout, "S_IDLE") {
			return errors.New(r.String())
		}
		return nil
	})
}
