// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package crmd is the cluster resource manager: the controllers of all nodes
// elect a designated coordinator (DC), which joins the nodes, keeps their state
// in the CIB, asks the policy engine what to do, has the transition engine do
// it, and has lost nodes fenced.
package crmd
