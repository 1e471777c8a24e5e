// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package lab

import (
	_ "embed"
	"fmt"
	"strings"
)

// What the web service of the tests is made of.
const (
	// WebSource is the folder that each node binds to WebRoot; its index.html
	// holds the node's name.
	WebSource = "/srv/source"
	// WebRoot is where the Filesystem resource mounts it.
	WebRoot = "/srv/www"
	// WebUnit is the systemd unit of the web server, which listens on port 80 of
	// every address and answers with what is in WebRoot.
	WebUnit = "labweb"
)

//go:embed fence_lab.sh
var fenceAgent string

// commonFiles are the same on every node.
func commonFiles() []file {
	return []file{
		{"/usr/sbin/fence_lab", 0o755, fenceAgent},
		{"/etc/labweb.conf", 0o644, webConfig},
		{"/etc/systemd/system/" + WebUnit + ".service", 0o644, webUnit},
	}
}

const webUnit = `[Unit]
Description=web server of the tests
[Service]
Type=forking
PIDFile=/run/labweb.pid
ExecStart=/usr/sbin/nginx -c /etc/labweb.conf
ExecStop=/bin/kill -QUIT $MAINPID
TimeoutStopSec=3
`

const webConfig = `pid /run/labweb.pid;
error_log /var/log/labweb.log;
worker_processes 1;
events { worker_connections 128; }
http {
  access_log off;
  server { listen 80; root /srv/www; }
}
`

// masked are units of the machine that a node has no use for.
var masked = []string{
	"apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer",
	"man-db.timer", "logrotate.timer", "systemd-networkd.service", "systemd-resolved.service",
	"systemd-networkd-wait-online.service", "systemd-timesyncd.service", "systemd-logind.service", "getty.target",
	"console-getty.service",
}

func hostsFile(nodes int) string {
	var b strings.Builder
	b.WriteString("127.0.0.1 localhost\n")
	for i := range nodes {
		fmt.Fprintf(&b, "%s node%d\n", NodeAddress(i+1), i+1)
	}
	return b.String()
}

// CorosyncConf writes a configuration for the first n nodes. quorum holds more
// lines for the quorum section, as "two_node: 1".
func CorosyncConf(n int, quorum ...string) string {
	var b strings.Builder
	b.WriteString("totem {\n\tversion: 2\n\tcluster_name: lab\n\ttransport: udpu\n}\nnodelist {\n")
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&b, "\tnode {\n\t\tname: node%d\n\t\tnodeid: %d\n\t\tring0_addr: %s\n\t}\n", i, i, NodeAddress(i))
	}
	b.WriteString("}\nquorum {\n\tprovider: corosync_votequorum\n")
	for _, line := range quorum {
		fmt.Fprintf(&b, "\t%s\n", line)
	}
	b.WriteString("}\nlogging {\n\tto_syslog: yes\n\tto_logfile: no\n}\n")
	return b.String()
}
