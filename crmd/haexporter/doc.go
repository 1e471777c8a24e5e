// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package haexporter gives the controller's metrics endpoint the metric names of
// ha_cluster_exporter, so that dashboards made for it show this cluster without
// a change: nodes, resources, fail counts, constraints, votes and links.
//
// A scrape reads one snapshot of the CIB and of the ring's view. The two halves
// (pacemaker, corosync) fail apart and say so by ha_cluster_scrape_success.
package haexporter
