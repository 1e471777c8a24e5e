// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package daemon

import (
	"os"
	"path/filepath"
)

// Paths tells where the files of a node are. Root relocates all of them, so
// that several nodes can run on one machine; "" is the machine itself.
type Paths struct {
	Root string
}

// RootVariable is the environment variable that sets Root where no flag does.
const RootVariable = "QUORATE_ROOT"

// Abs puts an absolute path of the machine under the node's root.
func (p Paths) Abs(path string) string {
	if p.Root == "" {
		return path
	}
	return filepath.Join(p.Root, path)
}

// CorosyncConf is the configuration of the messaging layer.
func (p Paths) CorosyncConf() string { return p.Abs("/etc/corosync/corosync.conf") }

// Authkey is the secret of the ring.
func (p Paths) Authkey() string { return p.Abs("/etc/corosync/authkey") }

// StateDir holds what messaging must remember: ring ids, boot counters.
func (p Paths) StateDir() string { return p.Abs("/var/lib/corosync") }

// PacemakerDir is the home of the resource manager's state.
func (p Paths) PacemakerDir() string { return p.Abs("/var/lib/pacemaker") }

// CIBDir holds the CIB and its older versions.
func (p Paths) CIBDir() string { return p.Abs("/var/lib/pacemaker/cib") }

// PengineDir holds the inputs of the policy engine.
func (p Paths) PengineDir() string { return p.Abs("/var/lib/pacemaker/pengine") }

// LogDir holds the log files that the configuration asks for.
func (p Paths) LogDir() string { return p.Abs("/var/log/pacemaker") }

// RunDir holds the sockets.
func (p Paths) RunDir() string { return p.Abs("/run/quorate") }

// Socket is the socket of a daemon.
func (p Paths) Socket(name string) string { return filepath.Join(p.RunDir(), name+".sock") }

// OCFRoot is the root of the OCF agents: the tree under the node's root if
// there is one, else the machine's, which relocated nodes share.
func (p Paths) OCFRoot() string {
	const machine = "/usr/lib/ocf"
	own := p.Abs(machine)
	if _, err := os.Stat(own); err != nil {
		return machine
	}
	return own
}
