// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package patch computes and applies differences between documents in
// Pacemaker's patchset format 2:
//
//	<diff format="2">
//	  <version>
//	    <source admin_epoch="0" epoch="1" num_updates="0"/>
//	    <target admin_epoch="0" epoch="2" num_updates="0"/>
//	  </version>
//	  <change operation="modify" path="/cib">…</change>
//	  <change operation="create" path="/cib/configuration/resources" position="0">…</change>
//	  <change operation="move" path="…" position="2"/>
//	  <change operation="delete" path="…"/>
//	</diff>
//
// Changes are applied one after the other; a path or position is meant as the
// document is when its change comes. For every pair of documents,
// Apply(a, Make(a, b)) equals b. A path names siblings by tag and id; where
// that does not tell two of them apart, a number in brackets does.
//
// Patchsets come from other programs: Apply refuses what does not fit, and the
// document is not to be used then. Nothing here panics.
package patch
