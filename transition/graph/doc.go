// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package graph is the transition graph: the value that the policy engine makes
// and the transition engine carries out, with its XML form
// (<transition_graph>), which is Pacemaker's.
package graph
