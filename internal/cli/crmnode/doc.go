// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package crmnode is crm_node and crmadmin: what the membership and the
// controllers know of the nodes.
package crmnode
