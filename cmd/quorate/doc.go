// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Command quorate is every operator tool in one program. It is called by a
// tool's name through a link (crm_mon, cibadmin, …) or as quorate TOOL. The
// tools are listed in one table; each family lives in a package of its own under
// internal/cli.
package main
