// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/quorate/quorate/test/e2e/lab"
)

// webGroup is the service of the tests: an address, a file system, a web server.
const webGroup = `<group id="web">
  <primitive id="webip" class="ocf" provider="heartbeat" type="IPaddr2">
    <instance_attributes id="webip-params">
      <nvpair id="webip-ip" name="ip" value="198.51.100.100"/>
      <nvpair id="webip-mask" name="cidr_netmask" value="24"/>
    </instance_attributes>
    <operations><op id="webip-monitor" name="monitor" interval="5s" timeout="20s"/></operations>
  </primitive>
  <primitive id="webfs" class="ocf" provider="heartbeat" type="Filesystem">
    <instance_attributes id="webfs-params">
      <nvpair id="webfs-device" name="device" value="` + lab.WebSource + `"/>
      <nvpair id="webfs-directory" name="directory" value="` + lab.WebRoot + `"/>
      <nvpair id="webfs-fstype" name="fstype" value="none"/>
      <nvpair id="webfs-options" name="options" value="bind"/>
    </instance_attributes>
    <operations><op id="webfs-monitor" name="monitor" interval="5s" timeout="40s"/></operations>
  </primitive>
  <primitive id="webserver" class="systemd" type="` + lab.WebUnit + `">
    <operations>
      <op id="webserver-monitor" name="monitor" interval="1s" timeout="20s"/>
      <op id="webserver-start" name="start" interval="0" timeout="30s"/>
      <op id="webserver-stop" name="stop" interval="0" timeout="30s"/>
    </operations>
  </primitive>
</group>`

// webMembers are the group's primitives.
var webMembers = []string{"webip", "webfs", "webserver"}

// options are cluster properties.
type options map[string]string

// noFencing are the properties of a cluster that has no fencing device.
var noFencing = options{"stonith-enabled": "false"}

func (o options) xml() string {
	var b strings.Builder
	b.WriteString(`<crm_config><cluster_property_set id="cib-bootstrap-options">`)
	for _, k := range slices.Sorted(maps.Keys(o)) {
		fmt.Fprintf(&b, `<nvpair id="cib-bootstrap-options-%s" name="%s" value="%s"/>`, k, k, o[k])
	}
	b.WriteString(`</cluster_property_set></crm_config>`)
	return b.String()
}

// configure replaces properties and resources, by cibadmin on one node. The
// properties come first: nothing may start under the former ones.
func (c *cluster) configure(n *lab.Node, o options, resources ...string) {
	c.t.Helper()
	c.run(n, "cibadmin", "--replace", "-o", "crm_config", "--xml-text", o.xml())
	c.run(n, "cibadmin", "--replace", "-o", "resources", "--xml-text", "<resources>"+strings.Join(resources, "\n")+"</resources>")
}

// dummy is a resource that does nothing but remember that it runs.
func dummy(id string) string {
	return fmt.Sprintf(`<primitive id="%s" class="ocf" provider="heartbeat" type="Dummy"><operations><op id="%[1]s-monitor" name="monitor" interval="5s" timeout="20s"/></operations></primitive>`, id)
}

// fenceDevice is the lab's power switch as a STONITH resource.
const fenceDevice = `<primitive id="fence" class="stonith" type="fence_lab">
  <instance_attributes id="fence-params"><nvpair id="fence-hosts" name="pcmk_host_list" value="node1 node2 node3"/></instance_attributes>
  <operations><op id="fence-monitor" name="monitor" interval="60s" timeout="20s"/></operations>
</primitive>`

// webRuns tells that crm_mon says the whole group runs on a node.
func webRuns(on *lab.Node) func(*lab.Status) error {
	return func(s *lab.Status) error {
		for _, id := range webMembers {
			if err := s.RunsOn(id, on.Name); err != nil {
				return err
			}
		}
		return nil
	}
}

// startWeb configures the web group, waits until it runs and returns the node
// that has it.
func (c *cluster) startWeb(o options, more ...string) *lab.Node {
	c.t.Helper()
	c.configure(c.other(), o, append([]string{webGroup}, more...)...)
	active := c.holder(settleTimeout)
	c.awaitStatus(active, settleTimeout, "the web group is started", webRuns(active))
	return active
}
