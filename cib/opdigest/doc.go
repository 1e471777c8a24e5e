// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package opdigest computes the digests of operation parameters that resource
// history carries (op-digest, op-restart-digest, op-secure-digest). Who records
// a result and who later checks it must use the same bytes, which are
// Pacemaker's: the MD5 sum of a <parameters> element with sorted attributes.
// The package is pure and knows neither cluster nor daemon.
package opdigest
