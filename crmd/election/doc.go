// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package election decides which controller is the DC.
//
// It is deterministic by virtual synchrony. All controllers see the same
// configuration changes and votes in the same order. A round begins with a
// configuration change that somebody joined (or with a call for a new round);
// every member then multicasts one vote that carries the round's name. When the
// votes of all members are in, every member decides at the same point of the
// order by the same votes: a DC that is in office stays; of two that meet, or
// where there is none, the better one wins. Where members only leave, the votes
// of the round are still valid, so the successor of a lost DC is known to all at
// once, without a message.
//
// Better is, in this order: the lower feature set, the longer uptime, the name
// that sorts first without regard to case, the lower node id.
package election
