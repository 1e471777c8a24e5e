// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package history turns results of operations into the CIB's records of them
// (lrm_resource, lrm_rsc_op), in Pacemaker's exact form, and keeps what a node
// knows of its resources. It is pure.
//
// For each resource and node the CIB holds the last operation that does not
// recur (RSC_last_0), each recurring one (RSC_monitor_10000), the last failure
// (RSC_last_failure_0), and migrations under their own keys. A record carries
// the transition key of the action that caused it, by which the DC knows what it
// was waiting for, and digests of the parameters, by which the policy engine
// sees that they have changed.
package history
