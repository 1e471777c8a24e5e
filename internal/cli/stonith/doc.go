// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package stonith is stonith_admin: fencing by hand, the operator's word that a
// node is off, the history of fencing, and fence agents.
package stonith
