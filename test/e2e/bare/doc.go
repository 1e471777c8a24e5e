// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package bare runs the nodes of a cluster on this machine without any rights:
// each node is a folder, an address of 127/8 and a `quorate run`. Several
// clusters may run at once; all processes of a cluster carry its folder in their
// environment, by which they are found and ended.
package bare
