// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package localagents gives the tools the agents of this machine without its
// daemons: to list them, to show their metadata, and to run one past the
// cluster.
package localagents
