// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package crmmon

import (
	"fmt"
	"io"
	"strings"

	"github.com/quorate/quorate/internal/cli/exit"
	"github.com/quorate/quorate/internal/cli/statusview"
)

// simple writes the state in one line, as nagios takes it, and fails where
// something is to be looked at.
func simple(w io.Writer, v *statusview.View) error {
	if v.Daemon != nil && v.Daemon.State != "running" {
		fmt.Fprintln(w, "CLUSTER WARN: the resource manager does not answer")
		return exit.Silent(exit.Error)
	}
	var bad []string
	if v.Cluster.DC == nil {
		bad = append(bad, "No DC")
	}
	online, standby, maintenance := 0, 0, 0
	for _, n := range v.Cluster.Nodes {
		switch {
		case n.Standby && n.Online:
			standby++
		case n.Maintenance && n.Online:
			maintenance++
		case n.Online:
			online++
		default:
			bad = append(bad, "offline node: "+n.Name)
		}
	}
	if len(bad) > 0 {
		fmt.Fprintf(w, "CLUSTER WARN: %s\n", strings.Join(bad, ", "))
		return exit.Silent(exit.Error)
	}
	text := count(online, "node online", "nodes online")
	if standby > 0 {
		text += ", " + count(standby, "standby node", "standby nodes")
	}
	if maintenance > 0 {
		text += ", " + count(maintenance, "maintenance node", "maintenance nodes")
	}
	text += ", " + count(v.Cluster.Instances, "resource instance configured", "resource instances configured")
	fmt.Fprintf(w, "CLUSTER OK: %s\n", text)
	return nil
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
