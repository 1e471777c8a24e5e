// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package simulate holds the tools that ask the policy engine without a cluster:
// crm_simulate and crm_verify.
package simulate
