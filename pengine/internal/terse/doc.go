// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package terse makes CIBs of a few words, for tests. Each line is one thing; what
// a group, clone or bundle holds is indented below it:
//
//	quorum 0
//	option placement-strategy=balanced
//	defaults resource-stickiness=1
//	node n1 attr.rack=a util.cpu=4 transient.standby=true
//	node n2 offline
//	clone c meta.interleave=true
//	  primitive p meta.priority=5 op.monitor=10s
//	location ban p n1 -INFINITY
//	colocation with a b INFINITY rsc-role=Promoted
//	order after a b kind=Optional
//	ticket t p T loss-policy=fence
//	granted T true
//	ran n1 p monitor rc=1 interval=10s
//	xml constraints <rsc_location …/>
//
// A node is offline (gone in good order), lost (unclean), pending, unseen or, by
// default, online. A primitive is ocf:pacemaker:Dummy unless a word with colons
// says otherwise. An operation that ran
// went as expected, without parameters, unless rc, target, status or op-digest say
// otherwise.
package terse
