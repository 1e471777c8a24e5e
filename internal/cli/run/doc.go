// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package run is `quorate run`: it starts the six daemons of a node in the
// foreground, for machines without systemd, tests and the demonstration.
//
// The daemons start in order, each as soon as the one before it says that it
// serves (sd_notify, as under systemd), and stop in reverse, the controller
// first, which drains the node's resources. A daemon that ends by itself is
// started again, with a back-off that grows while it keeps dying. When the
// supervisor is killed the daemons die with it: the node has crashed.
package run
