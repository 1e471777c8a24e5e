// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package e2e

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/quorate/quorate/test/e2e/lab"
)

// scaled stretches a limit by $E2E_PATIENCE, for machines that are busy with
// other things and for stacks that are slower by design.
func scaled(d time.Duration) time.Duration {
	if f, err := strconv.ParseFloat(os.Getenv("E2E_PATIENCE"), 64); err == nil && f > 1 {
		return time.Duration(float64(d) * f)
	}
	return d
}

// failoverLimit is what the loss of a node may cost with default timers.
const failoverLimit = 4 * time.Second

// Row 3: power loss of the active node, once as the DC and once not.
func TestPowerLossOfTheActiveNodeIsOverInFourSeconds(t *testing.T) {
	c := startedCluster(t, 3)
	active := c.startWeb(noFencing)
	client := c.Fetch(floating)
	defer client.Stop()
	for _, victim := range []string{"DC", "other node"} {
		active = c.place(active, victim == "DC")
		lab.Until(t, settleTimeout, "the page", func() error { return answers(client, active.Name) })
		c.stays(active, time.Second)
		active.Kill()
		outage := c.takeover(client, active)
		c.figure("power loss of the active node ("+victim+"): page away", outage.Duration())
		if limit := scaled(failoverLimit); outage.Duration() > limit {
			t.Errorf("%s: the page was away for %v, want at most %v", victim, outage, limit)
		}
		to := c.moved(active, settleTimeout)
		c.awaitStatus(to, settleTimeout, "the group is started elsewhere", webRuns(to))
		c.boot(active)
		c.awaitOnline(c.members()...)
		if now := c.holder(settleTimeout); now != to {
			t.Errorf("the group went from %s to %s when %s came back", to.Name, now.Name, active.Name)
		}
		active = to
	}
}

// takeover waits until the page of another node than from comes, and returns
// the outage.
func (c *cluster) takeover(client *lab.Client, from *lab.Node) lab.Outage {
	c.t.Helper()
	var outage lab.Outage
	lab.Until(c.t, settleTimeout, "another node than "+from.Name+" answers", func() error {
		o, ok := client.Takeover(from.Name)
		if !ok {
			return errors.New("no answer")
		}
		outage = o
		return nil
	})
	return outage
}

// Row 2 and 3 with the agents that ship with Quorate in place of Debian's.
func TestOwnAgentsRunTheWebGroupToo(t *testing.T) {
	c := startedCluster(t, 3)
	own := strings.ReplaceAll(webGroup, `provider="heartbeat"`, `provider="quorate"`)
	c.configure(c.other(), noFencing, own)
	active := c.holder(settleTimeout)
	c.awaitStatus(active, settleTimeout, "the web group is started", webRuns(active))
	client := c.Fetch(floating)
	defer client.Stop()
	lab.Until(t, settleTimeout, "the page", func() error { return answers(client, active.Name) })
	c.run(active, "crm_resource", "--move", "-r", "web", "-N", c.other(active).Name)
	planned := c.takeover(client, active)
	c.figure("own agents, planned move: page away", planned.Duration())
	to := c.moved(active, settleTimeout)
	c.awaitStatus(to, settleTimeout, "the web group has moved", webRuns(to))
	to.Kill()
	outage := c.takeover(client, to)
	c.figure("own agents, power loss: page away", outage.Duration())
	if limit := scaled(failoverLimit); outage.Duration() > limit {
		t.Errorf("the page was away for %v, want at most %v", outage, limit)
	}
	c.moved(to, settleTimeout)
}

// place moves the web group to the DC, or to a node that is not the DC, and
// removes the constraint that this took.
func (c *cluster) place(active *lab.Node, onDC bool) *lab.Node {
	c.t.Helper()
	dc := c.dc()
	if (active == dc) == onDC {
		return active
	}
	to := dc
	if !onDC {
		to = c.other(dc)
	}
	c.run(active, "crm_resource", "--move", "-r", "web", "-N", to.Name)
	lab.Until(c.t, settleTimeout, "the group moves to "+to.Name, func() error {
		if h := c.holder(settleTimeout); h != to {
			return fmt.Errorf("it is on %s", h.Name)
		}
		return nil
	})
	c.awaitStatus(to, settleTimeout, "the group is started on "+to.Name, webRuns(to))
	c.run(active, "crm_resource", "--clear", "-r", "web")
	return to
}

// Row 3: with fencing, nothing of a lost node starts elsewhere before the device
// has confirmed.
func TestNothingStartsBeforeTheFenceIsConfirmed(t *testing.T) {
	c := startedCluster(t, 3)
	fencing := options{"stonith-enabled": "true"}
	active := c.startWeb(fencing, fenceDevice)
	c.awaitStatus(active, settleTimeout, "the device is started", func(s *lab.Status) error {
		if r, ok := s.Resource("fence"); !ok || !r.Active {
			return errors.New("fence is not started")
		}
		return nil
	})
	const delay = 2 * time.Second
	c.Fence().Delay(delay)
	killed := time.Now()
	active.Kill()
	to := c.moved(active, settleTimeout)
	records := c.Fence().Records()
	i := slices.IndexFunc(records, func(f lab.Fencing) bool { return f.Node == active.Name && !f.Confirmed.IsZero() })
	if i < 0 {
		t.Fatalf("the group is on %s, but %s was not fenced: %v", to.Name, active.Name, records)
	}
	confirmed := records[i].Confirmed
	for _, thing := range []lab.Thing{addressThing, mountThing, serverThing} {
		for _, n := range c.members() {
			if n == active {
				continue
			}
			if at := c.witness.FirstHeld(thing, n.Name, killed); !at.IsZero() && at.Before(confirmed) {
				t.Errorf("%s on %s at %v, %v before the fence was confirmed", thing.Name, n.Name, at, confirmed.Sub(at))
			}
		}
	}
	c.figure("with fencing: power loss to the device asked", records[i].Asked.Sub(killed))
	c.figure("with fencing: confirmed to the address elsewhere", c.witness.FirstHeld(addressThing, to.Name, confirmed).Sub(confirmed))
	c.awaitStatus(to, settleTimeout, "crm_mon reports the fencing", func(s *lab.Status) error {
		for _, f := range s.Fencing {
			if f.Target == active.Name && f.Status == "success" {
				return nil
			}
		}
		return fmt.Errorf("fence history: %v", s.Fencing)
	})
	if out := c.run(to, "stonith_admin", "--history", active.Name); !strings.Contains(out, active.Name) {
		t.Errorf("stonith_admin --history: %s", out)
	}
	c.boot(active)
	c.awaitOnline(c.members()...)
	if got := c.Fence().Records(); len(got) != len(records) {
		t.Errorf("the node was fenced again: %v", got)
	}
}

// Row 3: a node that stands still holds its address all the same; only the fence
// makes it safe to take over. A short standstill costs nothing.
func TestFrozenNodeIsFencedBeforeItsResourcesMove(t *testing.T) {
	c := startedCluster(t, 3)
	active := c.startWeb(options{"stonith-enabled": "true"}, fenceDevice)
	active.Freeze()
	<-time.After(200 * time.Millisecond) // a fifth of the token timeout
	active.Thaw()
	c.stays(active, 3*time.Second)
	if r := c.Fence().Records(); len(r) > 0 {
		t.Fatalf("a standstill of 200 ms was fenced: %v", r)
	}
	c.awaitOnline(c.members()...)
	frozen := time.Now()
	active.Freeze()
	to := c.moved(active, settleTimeout)
	c.figure("with fencing: node frozen to the group whole elsewhere", time.Since(frozen))
	c.awaitStatus(to, settleTimeout, "the group is started elsewhere", webRuns(to))
	if r := c.Fence().Records(); len(r) == 0 || r[0].Node != active.Name {
		t.Errorf("the frozen node was not fenced: %v", r)
	}
}

// Row 3: where fencing fails, nothing starts and the status says why.
func TestFailedFencingStartsNothingElsewhere(t *testing.T) {
	c := startedCluster(t, 3)
	active := c.startWeb(options{"stonith-enabled": "true"}, fenceDevice)
	c.Fence().Refuse(true)
	active.Kill()
	left := c.other(active)
	c.awaitStatus(left, settleTimeout, "the node is unclean and its fencing failed", func(s *lab.Status) error {
		if !slices.Equal(s.Unclean(), []string{active.Name}) {
			return fmt.Errorf("unclean: %v", s.Unclean())
		}
		for _, f := range s.Fencing {
			if f.Target == active.Name && f.Status == "failed" {
				return nil
			}
		}
		return fmt.Errorf("fence history: %v", s.Fencing)
	})
	lab.For(t, 3*time.Second, "nobody has the address", c.nobody(addressThing))
	if out := c.run(left, "crm_mon", "-1"); !strings.Contains(out, "Node "+active.Name+": UNCLEAN (offline)") || !strings.Contains(out, "Failed Fencing Actions:") {
		t.Errorf("crm_mon -1 does not say that fencing failed:\n%s", out)
	}
	// The administrator repairs the device: the cluster goes on by itself.
	c.Fence().Refuse(false)
	c.moved(active, 60*time.Second)
}

// Row 4: the service dies and is restarted within its monitor interval.
func TestKilledServiceIsRestartedWhereItWas(t *testing.T) {
	c := startedCluster(t, 3)
	active := c.startWeb(noFencing)
	client := c.Fetch(floating)
	defer client.Stop()
	lab.Until(t, settleTimeout, "the page", func() error { return answers(client, active.Name) })
	if active.Signal("nginx", syscall.SIGKILL) == 0 {
		t.Fatal("no web server to kill")
	}
	c.awaitStatus(active, settleTimeout, "the failure is on record", func(s *lab.Status) error {
		for _, f := range s.Failures {
			if strings.HasPrefix(f.Op, "webserver_monitor_1000") && f.Node == active.Name {
				return nil
			}
		}
		return fmt.Errorf("failures: %v", s.Failures)
	})
	c.awaitStatus(active, settleTimeout, "the group is whole", webRuns(active))
	lab.Until(t, settleTimeout, "the page comes again", func() error { return answers(client, active.Name) })
	outage := client.Longest()
	c.figure("kill -9 of the web server: page away (monitor each second)", outage.Duration())
	if limit := scaled(3 * time.Second); outage.Duration() > limit || outage.Duration() == 0 {
		t.Errorf("the page was away for %v, want at most %v", outage, limit)
	}
	out := c.run(active, "crm_mon", "-1rf")
	for _, want := range []string{"webserver: migration-threshold=1000000 fail-count=1", "-interval monitor on " + active.Name} {
		if !strings.Contains(out, want) {
			t.Errorf("crm_mon -1rf does not say %q:\n%s", want, out)
		}
	}
	c.run(active, "crm_resource", "--cleanup", "-r", "webserver")
	c.awaitStatus(active, settleTimeout, "the failure is forgotten", func(s *lab.Status) error {
		if len(s.Failures) > 0 {
			return fmt.Errorf("failures: %v", s.Failures)
		}
		return webRuns(active)(s)
	})
	if out := c.run(active, "crm_mon", "-1rf"); strings.Contains(out, "fail-count=") {
		t.Errorf("the fail count survived the cleanup:\n%s", out)
	}
}

// Row 4: the service dies and cannot start where it was: it moves.
func TestServiceWhosePortIsTakenMoves(t *testing.T) {
	c := startedCluster(t, 3)
	active := c.startWeb(noFencing)
	// The squatter listens on the port of just the node's own loopback: enough to
	// keep a server from binding to all addresses.
	c.run(active, "sh", "-c", `sed 's/listen 80/listen 127.0.0.1:80/; s#/run/labweb#/run/squatter#' /etc/labweb.conf >/etc/squatter.conf`)
	client := c.Fetch(floating)
	defer client.Stop()
	lab.Until(t, settleTimeout, "the page", func() error { return answers(client, active.Name) })
	c.run(active, "sh", "-c", "killall -9 nginx; nginx -c /etc/squatter.conf >/dev/null 2>&1")
	c.figure("server cannot start again, group moved: page away", c.takeover(client, active).Duration())
	c.run(active, "sh", "-c", "kill $(cat /run/squatter.pid)")
	to := c.moved(active, settleTimeout)
	c.awaitStatus(to, settleTimeout, "the group is started elsewhere", webRuns(to))
	if out := c.run(to, "crm_mon", "-1rf"); !strings.Contains(out, "webserver start on "+active.Name) || !strings.Contains(out, "fail-count=1000000") {
		t.Errorf("crm_mon -1rf does not tell of the failed start:\n%s", out)
	}
}
