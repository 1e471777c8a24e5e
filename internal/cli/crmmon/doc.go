// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package crmmon is crm_mon: the state of the cluster once or as a screen that
// follows each change, as text, HTML or XML, with the options, layouts and exit
// codes that operators and front ends know.
package crmmon
