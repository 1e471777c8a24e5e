// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package classes is the table of the classes of agents that a node has, with
// the folders they lie in. The daemon runs agents with it; operator tools list
// agents with it while no daemon runs.
package classes
