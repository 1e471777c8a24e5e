// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package crmresource is crm_resource: questions about the resources of the
// cluster, and the operations that administrators do on them: move, ban, clear,
// clean up, restart, parameters, agents and their metadata.
package crmresource
