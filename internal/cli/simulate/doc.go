// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package simulate holds the tool that asks the policy engine without a cluster,
// crm_simulate, and the engine's part in crm_verify.
package simulate
