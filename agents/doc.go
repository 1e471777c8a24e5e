// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package agents holds the words that all classes of resource agents share: a
// request to run one action of one agent, and its result.
//
// Each class is a package of its own: agents/ocf, agents/lsb, agents/systemd,
// agents/service and agents/fence. They turn a [Request] into a program started
// by agents/exec, or into a D-Bus call, and what comes of it into a [Result].
// agents/metadata reads and makes the XML with which an agent describes itself,
// and agents/shipped holds the agents that come with Quorate.
//
// An action never fails with a Go error: whatever goes wrong is an exit code, a
// status and a reason, because that is what a cluster decides on. Listing and
// reading metadata do return errors.
//
// The package and those below it know no cluster, no CIB, and no queue.
package agents
