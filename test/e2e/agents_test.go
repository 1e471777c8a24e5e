// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package e2e

import (
	"strings"
	"testing"

	"github.com/quorate/quorate/test/e2e/lab"
)

// servers are the web server of the tests in each class of resource that can run
// one, in place of the systemd unit.
var servers = map[string]string{
	"OCF agent of Debian": `<primitive id="webserver" class="ocf" provider="heartbeat" type="nginx">
  <instance_attributes id="webserver-params"><nvpair id="webserver-config" name="configfile" value="/etc/labweb.conf"/></instance_attributes>
  <operations><op id="webserver-monitor" name="monitor" interval="2s" timeout="20s"/></operations>
</primitive>`,
	"LSB script": `<primitive id="webserver" class="lsb" type="` + lab.WebUnit + `">
  <operations><op id="webserver-monitor" name="monitor" interval="2s" timeout="20s"/></operations>
</primitive>`,
	"service": `<primitive id="webserver" class="service" type="` + lab.WebUnit + `">
  <operations><op id="webserver-monitor" name="monitor" interval="2s" timeout="20s"/></operations>
</primitive>`,
}

const initScript = `#!/bin/sh
### BEGIN INIT INFO
# Provides: labweb
# Required-Start:
# Required-Stop:
# Default-Start:
# Default-Stop:
# Short-Description: web server of the tests
### END INIT INFO
running() { [ -s /run/labweb.pid ] && kill -0 "$(cat /run/labweb.pid)" 2>/dev/null; }
case $1 in
start) running || /usr/sbin/nginx -c /etc/labweb.conf ;;
stop)
	running || exit 0
	kill -QUIT "$(cat /run/labweb.pid)"
	while running; do sleep 0.05; done
	;;
status) if running; then exit 0; else exit 3; fi ;;
*) exit 3 ;;
esac
`

// Row 2 with the web server as another class of resource, and a planned move
// back and forth of each.
func TestWebServerAsAnyClassOfResource(t *testing.T) {
	c := newCluster(t, 3)
	for _, n := range c.members() {
		if err := n.WriteFile("/etc/init.d/"+lab.WebUnit, 0o755, initScript); err != nil {
			t.Fatal(err)
		}
	}
	c.start(c.members()...)
	c.awaitOnline(c.members()...)
	before, _, _ := strings.Cut(webGroup, `<primitive id="webserver"`)
	for name, server := range servers {
		t.Run(name, func(t *testing.T) {
			sub := *c
			sub.t = t
			sub.configure(c.Node(1), noFencing, before+server+"</group>")
			first := sub.holder(settleTimeout)
			sub.awaitStatus(first, settleTimeout, "the group is started", webRuns(first))
			sub.run(first, "crm_standby", "-v", "on", "-N", first.Name)
			second := sub.moved(first, settleTimeout)
			sub.awaitStatus(second, settleTimeout, "the group is started elsewhere", webRuns(second))
			sub.run(first, "crm_standby", "-D", "-N", first.Name)
			if out := sub.run(second, "crm_mon", "-1"); strings.Contains(out, "Failed Resource Actions") {
				t.Errorf("something failed:\n%s", out)
			}
			sub.run(second, "cibadmin", "-R", "-o", "resources", "-X", "<resources/>")
			sub.gone()
		})
	}
}

// gone waits until nobody holds anything of the web group.
func (c *cluster) gone() {
	c.t.Helper()
	lab.Until(c.t, settleTimeout, "all of it is stopped", func() error {
		for _, thing := range []lab.Thing{addressThing, mountThing, serverThing} {
			if err := c.nobody(thing)(); err != nil {
				return err
			}
		}
		return nil
	})
}
