// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package shipped holds the agents that come with Quorate, so that a node works
// without a distribution's resource-agents: IPaddr2, Filesystem, Dummy, Stateful,
// ping, webdemo and the fence agent of the test lab. They are entries of the
// operator program (quorate ocf NAME ACTION) behind small scripts in
// agents/scripts, and keep to the OCF resource agent API 1.1: parameters in
// OCF_RESKEY_ variables, the answer is the exit code, reasons go to standard
// error.
//
// Start and stop may be repeated, a probe on an untouched machine says not
// running, and nothing is left behind by a stop.
package shipped
