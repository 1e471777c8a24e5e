// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package ocf

import (
	"slices"
	"strings"
)

// private are the variables of a daemon's environment that mean the daemon and
// nobody else.
var private = []string{
	"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_FDS", "LISTEN_PID",
	"LISTEN_FDNAMES", "JOURNAL_STREAM", "INVOCATION_ID", "MAINPID", "SYSTEMD_EXEC_PID",
	"MEMORY_PRESSURE_WATCH", "MEMORY_PRESSURE_WRITE", "CREDENTIALS_DIRECTORY",
}

// options are the cluster-wide settings that agents ask for, each under the
// prefixes PCMK_ and HA_.
var options = []struct{ name, value string }{
	{"cluster_type", "corosync"},
	{"quorum_type", "corosync"},
	{"debug", "0"},
	{"logfacility", "daemon"},
	{"mcp", "true"},
	{"service", "pacemakerd"},
	{"watchdog", "false"},
}

// BaseEnv makes the environment that agents inherit from the daemon's own.
func BaseEnv(daemon []string) []string {
	have := map[string]string{}
	var env []string
	for _, e := range daemon {
		k, v, ok := strings.Cut(e, "=")
		if !ok || slices.Contains(private, k) || strings.HasPrefix(k, "OCF_RESKEY_") {
			continue
		}
		have[k] = v
		env = append(env, e)
	}
	set := func(k, v string) {
		if _, ok := have[k]; !ok {
			have[k] = v
			env = append(env, k+"="+v)
		}
	}
	set("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
	for _, o := range options {
		set("PCMK_"+o.name, o.value)
		set("HA_"+o.name, have["PCMK_"+o.name])
	}
	set("HA_LOGFACILITY", have["PCMK_logfacility"])
	if file := have["PCMK_logfile"]; file != "" && file != "none" {
		set("HA_LOGFILE", file)
		set("HA_logfile", file)
	}
	return env
}
