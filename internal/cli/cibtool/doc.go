// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package cibtool has the tools that read and change the CIB: cibadmin,
// crm_attribute and what builds on it (crm_standby, crm_master, crm_failcount),
// attrd_updater, crm_verify and crm_diff. Options, output and exit codes are
// those of Pacemaker 2.1; all of them but attrd_updater also work on a file
// (CIB_file, CIB_shadow).
package cibtool
