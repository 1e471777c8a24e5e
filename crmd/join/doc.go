// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package join is the DC's side of the join protocol: offer, request, finalize,
// confirm, for each member. Answers to an earlier round (join id) are void.
package join
