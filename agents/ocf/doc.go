// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package ocf runs agents of the Open Cluster Framework: programs under
// resource.d/PROVIDER/TYPE that take their parameters from the environment and
// answer by exit code.
//
// An agent is looked for in each of the class's directories in turn, so that
// those of the distribution win over the copies that Quorate ships.
package ocf
