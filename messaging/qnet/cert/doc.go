// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package cert keeps the keys and certificates of arbitration servers and their
// clients, in the folders where corosync's tools keep theirs and with the steps
// of those tools: the server has an authority of its own, which signs one
// certificate for each cluster, in the name of the cluster; all nodes of a
// cluster share it.
//
// The files are PEM, not NSS databases. Requests are written and certificates
// read in both DER and PEM, so that a server of corosync can sign for our nodes
// and the other way round.
package cert
