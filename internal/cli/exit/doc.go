// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package exit holds the exit codes of the tools, which are Pacemaker's
// crm_exit_t, and the error type that carries one to the tool's end. Clients
// branch on these numbers and print these texts, so neither may change.
package exit
