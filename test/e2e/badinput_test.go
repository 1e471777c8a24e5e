// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/test/e2e/lab"
)

// Row 10: bad input costs a clear error, loses nothing and kills no daemon.

func TestNodeWithAnotherKeyStaysOutAndSaysWhy(t *testing.T) {
	c := newCluster(t, 3)
	odd := c.Node(3)
	right := c.key
	c.key = lab.NewKey()
	c.configureNode(odd, lab.CorosyncConf(3))
	c.key = right
	c.start(c.members()...)
	c.awaitOnline(c.Node(1), c.Node(2))
	lab.For(t, 3*time.Second, "the stranger stays out", func() error {
		s, err := c.Node(1).Status(t.Context())
		if err == nil && !slices.Equal(s.Online(), []string{"node1", "node2"}) {
			err = fmt.Errorf("online: %v", s.Online())
		}
		return err
	})
	if s, err := odd.Status(t.Context()); err == nil && s.Summary.DC.Quorum {
		t.Error("the node with the other key has quorum")
	}
	if log := c.Node(1).Journal(t.Context(), "-t", "messagingd") + odd.Journal(t.Context(), "-t", "messagingd"); !containsAny(log, "key", "authentic", "seal", "digest") {
		t.Errorf("no log tells of packets with another key:\n%s", log)
	}
	// With the right key it joins.
	c.stop(odd)
	c.configureNode(odd, lab.CorosyncConf(3))
	c.start(odd)
	c.awaitOnline(c.members()...)
}

func containsAny(text string, words ...string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) })
}

func TestUnusableConfigurationIsRefusedWithItsPlace(t *testing.T) {
	c := newCluster(t, 3)
	odd := c.Node(3)
	c.start(c.Node(1), c.Node(2))
	for _, bad := range []struct {
		name  string
		do    func() error
		words []string // any of them
	}{
		{"brace missing", func() error {
			return odd.WriteFile("/etc/corosync/corosync.conf", 0o644, "totem {\n\tversion: 2\n")
		}, []string{"corosync.conf:", "brace", "line 1"}},
		{"no such file", func() error { return os.Remove(odd.Root() + "/etc/corosync/corosync.conf") }, []string{"ConditionPathExists", "corosync.conf"}},
		{"a folder", func() error {
			name := odd.Root() + "/etc/corosync/corosync.conf"
			return errors.Join(os.Remove(name), os.Mkdir(name, 0o755))
		}, []string{"corosync.conf"}},
		{"key for everybody", func() error {
			c.configureNode(odd, lab.CorosyncConf(3))
			return odd.WriteFile("/etc/corosync/authkey", 0o644, string(c.key))
		}, []string{"authkey", "mode"}},
	} {
		if err := os.RemoveAll(odd.Root() + "/etc/corosync/corosync.conf"); err != nil {
			t.Fatal(err)
		}
		c.configureNode(odd, lab.CorosyncConf(3))
		if err := bad.do(); err != nil {
			t.Fatal(err)
		}
		r := c.try(odd, "systemctl", "start", "corosync.service")
		log := odd.Journal(t.Context())
		if out := c.try(odd, "systemctl", "is-active", "corosync.service").Stdout; r.Code == 0 && strings.TrimSpace(out) == "active" && c.try(odd, "corosync-quorumtool", "-s").Code == 0 {
			t.Errorf("%s: messaging runs: %s", bad.name, r)
		}
		if !containsAny(log, bad.words...) {
			t.Errorf("%s: the log says none of %q:\n%s", bad.name, bad.words, tail(log, 20))
		}
		c.try(odd, "systemctl", "stop", "corosync.service", "quorate-messagingd.service")
		c.try(odd, "systemctl", "reset-failed")
	}
	c.configureNode(odd, lab.CorosyncConf(3))
	c.start(odd)
	c.awaitOnline(c.members()...)
}

func tail(text string, n int) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(all[max(0, len(all)-n):], "\n")
}

// sameProcesses remembers the daemons of all nodes; the function that it returns
// complains of each that is another process by then.
func (c *cluster) sameProcesses() func() {
	before := map[string][]int{}
	for _, n := range c.members() {
		for _, d := range daemons() {
			before[d.name+" on "+n.Name] = n.Processes(d.name)
		}
	}
	return func() {
		c.t.Helper()
		for _, n := range c.members() {
			for _, d := range daemons() {
				who := d.name + " on " + n.Name
				if now := n.Processes(d.name); !slices.Equal(now, before[who]) {
					c.t.Errorf("%s was process %v and is %v", who, before[who], now)
				}
			}
		}
	}
}

func TestBadRequestsChangeNothing(t *testing.T) {
	c := startedCluster(t, 3)
	active := c.startWeb(noFencing)
	unharmed := c.sameProcesses()
	configuration := func() string { return c.run(active, "cibadmin", "-Q", "-o", "configuration") }
	before := configuration()
	const big = `printf '<primitive id="big" class="ocf" provider="heartbeat" type="Dummy" description="' >/tmp/big.xml
head -c 200000000 /dev/zero | tr '\0' x >>/tmp/big.xml; printf '"/>' >>/tmp/big.xml`
	c.run(active, "sh", "-c", big)
	for _, bad := range []struct {
		name string
		argv []string
		code int // 0: any but 0
	}{
		{"broken XML", []string{"cibadmin", "-C", "-o", "resources", "-X", `<primitive id="n4"`}, 78},
		{"empty file", []string{"cibadmin", "-C", "-o", "resources", "-x", "/dev/null"}, 78},
		{"no such section", []string{"cibadmin", "-C", "-o", "nosuch", "-X", `<primitive id="n7" class="ocf" provider="heartbeat" type="Dummy"/>`}, 78},
		{"not in the schema", []string{"cibadmin", "-C", "-o", "resources", "-X", `<nonsense id="xy"/>`}, 78},
		{"exists", []string{"cibadmin", "-C", "-o", "resources", "-X", `<group id="web"><primitive id="n8" class="ocf" provider="heartbeat" type="Dummy"/></group>`}, 108},
		{"exists elsewhere", []string{"cibadmin", "-C", "-o", "resources", "-X", `<primitive id="webip" class="ocf" provider="heartbeat" type="Dummy"/>`}, 78},
		{"nothing to modify", []string{"cibadmin", "-M", "-o", "resources", "-X", `<primitive id="nosuch" description="x"/>`}, 105},
		{"an attribute of 200 MB", []string{"cibadmin", "-C", "-o", "resources", "-x", "/tmp/big.xml"}, 0},
		{"entities", []string{"cibadmin", "-C", "-o", "resources", "-X", `<!DOCTYPE a [<!ENTITY x "y">]><primitive id="e" class="ocf" provider="heartbeat" type="Dummy" description="&x;"/>`}, 0},
		{"not a CIB", []string{"cibadmin", "-R", "-X", `<html/>`}, 0},
		{"no such resource", []string{"crm_resource", "--move", "-r", "nosuch", "-N", "node1"}, 105},
		{"no such node", []string{"crm_standby", "-v", "on", "-N", "nosuch"}, 0},
	} {
		began := time.Now()
		r := c.try(active, bad.argv...)
		if r.Code == 0 || bad.code != 0 && r.Code != bad.code {
			t.Errorf("%s: exit code %d, want %d: %s", bad.name, r.Code, bad.code, tail(r.String(), 5))
		}
		if strings.TrimSpace(r.Stderr+r.Stdout) == "" || strings.Contains(r.Stderr, "goroutine ") {
			t.Errorf("%s: no clear word of what is wrong: %s", bad.name, tail(r.String(), 5))
		}
		t.Logf("%s: %d in %v: %s", bad.name, r.Code, time.Since(began).Round(time.Millisecond), tail(r.Stderr, 1))
	}
	if after := configuration(); after != before {
		t.Errorf("the configuration changed: %s", firstDifference(before, after))
	}
	unharmed()
	c.stays(active, time.Second)
	c.sameCIB()
}

// doubles are agents that misbehave, by type.
var doubles = map[string]string{
	"Hangs":  `start) sleep 1000;;`,
	"Shouts": `start) head -c 100000000 /dev/zero | tr '\0' x; echo; head -c 100000000 /dev/zero | tr '\0' y >&2; : >/run/Shouts;;`,
	"Forks":  `start) (trap '' TERM; sleep 1000) & (trap '' TERM; setsid sleep 1000) & wait;;`,
}

func (c *cluster) installDoubles() {
	c.t.Helper()
	for name, actions := range doubles {
		script := "#!/bin/sh\ncase $1 in\n" + actions + `
stop) rm -f /run/` + name + `;;
monitor) [ -e /run/` + name + ` ] || exit 7;;
meta-data) echo '<?xml version="1.0"?><resource-agent name="` + name + `"><version>1.0</version><parameters/><actions><action name="start" timeout="2s"/><action name="stop" timeout="2s"/><action name="monitor" timeout="2s" interval="10s"/><action name="meta-data" timeout="2s"/></actions></resource-agent>';;
*) exit 3;;
esac
`
		for _, n := range c.members() {
			if err := n.WriteFile("/usr/lib/ocf/resource.d/lab/"+name, 0o755, script); err != nil {
				c.t.Fatal(err)
			}
		}
	}
}

func TestAgentsThatHangOrShoutHurtOnlyThemselves(t *testing.T) {
	c := newCluster(t, 3)
	c.installDoubles()
	c.start(c.members()...)
	c.awaitOnline(c.members()...)
	var bad strings.Builder
	for _, name := range []string{"Hangs", "Shouts", "Forks"} {
		fmt.Fprintf(&bad, `<primitive id="%s" class="ocf" provider="lab" type="%s"><operations><op id="%[1]s-start" name="start" interval="0" timeout="3s"/></operations></primitive>`, strings.ToLower(name), name)
	}
	active := c.startWeb(noFencing, bad.String())
	unharmed := c.sameProcesses()
	c.awaitStatus(active, settleTimeout, "the agents that hang have failed everywhere, the one that shouts runs", func(s *lab.Status) error {
		failed := map[string]int{}
		for _, f := range s.Failures {
			failed[f.Op]++
		}
		if failed["hangs_start_0"] != c.size || failed["forks_start_0"] != c.size {
			return fmt.Errorf("failures: %v", s.Failures)
		}
		if r, _ := s.Resource("shouts"); r.Role != "Started" {
			return fmt.Errorf("shouts is %s", r.Role)
		}
		return nil
	})
	if out := c.run(active, "crm_mon", "-1"); !strings.Contains(out, "hangs start on") || !strings.Contains(out, "Timed Out") {
		t.Errorf("crm_mon -1 does not say that the start timed out:\n%s", out)
	}
	lab.Until(t, settleTimeout, "nothing is left of what was killed", func() error {
		for _, n := range c.members() {
			// One that left its process group by setsid may live on, as with the
			// real stack; of the others each must be gone.
			if left := len(n.Processes("sleep")); left > 1 {
				return fmt.Errorf("%d on %s", left, n.Name)
			}
		}
		return nil
	})
	for _, n := range c.members() {
		for _, p := range n.Processes("lrmd") {
			if mb := residentMB(p); mb > 100 {
				t.Errorf("lrmd on %s has %d MB after an agent printed 200 MB", n.Name, mb)
			}
		}
	}
	unharmed()
	c.stays(active, time.Second)
}

func residentMB(pid int) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "VmRSS:" {
			kb, _ := strconv.Atoi(f[1])
			return kb / 1024
		}
	}
	return 0
}

func TestFullDiskRefusesWritesAndLosesNone(t *testing.T) {
	c := newCluster(t, 3)
	small := c.Node(2)
	// A disk of 8 MB under the state, owned as the packaging has it.
	c.run(small, "sh", "-c", `d=/var/lib/pacemaker; cp -a $d /tmp/state && mount -t tmpfs -o size=8m tmpfs $d && cp -a /tmp/state/. $d/ && chown --reference=/tmp/state $d && chmod --reference=/tmp/state $d`)
	c.start(c.members()...)
	c.awaitOnline(c.members()...)
	active := c.startWeb(noFencing)
	c.run(small, "crm_attribute", "-n", "before", "-v", "1")
	unharmed := c.sameProcesses()
	c.try(small, "sh", "-c", "dd if=/dev/zero of=/var/lib/pacemaker/full bs=4096 2>/dev/null")
	ctx, cancel := context.WithTimeout(t.Context(), toolTimeout)
	defer cancel()
	r := small.Exec(ctx, "crm_attribute", "-n", "during", "-v", "1")
	if ctx.Err() != nil {
		t.Errorf("a write with the disk full hangs: %s", r)
	}
	t.Logf("a write with the disk full: %s", r)
	if r.Code == 0 {
		t.Error("a write that cannot be durable on its node was acknowledged")
	}
	if log := small.Journal(t.Context(), "-t", "cibd"); !containsAny(log, "no space left", "full") {
		t.Errorf("the log does not say that the disk is full:\n%s", tail(log, 10))
	}
	c.stays(active, time.Second)
	unharmed()
	c.run(small, "rm", "/var/lib/pacemaker/full")
	lab.Until(t, settleTimeout, "writes are possible again", func() error {
		if r := c.try(small, "crm_attribute", "-n", "after", "-v", "1"); r.Code != 0 {
			return errors.New(r.String())
		}
		return nil
	})
	c.sameCIB()
	for _, n := range c.members() {
		for _, name := range []string{"before", "after"} {
			if out := c.run(n, "crm_attribute", "-n", name, "-G", "-q"); strings.TrimSpace(out) != "1" {
				t.Errorf("%s has lost %s: %q", n.Name, name, out)
			}
		}
	}
}
