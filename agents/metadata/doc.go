// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package metadata reads what an agent says of itself (OCF resource agent API
// 1.0 and 1.1, and the fence agents' dialect) and makes it for classes whose
// agents say nothing: LSB scripts and systemd units.
//
// What agents print is not trusted: input is bounded by [MaxSize], entities are
// not expanded, and a document that does not parse is an error, never a panic.
package metadata
