// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package bench measures the policy engine on synthetic clusters: here its
// stages within this process, in package peer our whole program beside the real
// crm_simulate. The generator of the clusters lies beside the module; without it
// all is skipped.
package bench
