// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package statusview shows a cluster's state in the layout that operators and
// front ends know from crm_mon: as text, HTML or XML. The words, their order and
// the order of XML attributes are an interface: programs cut them apart.
//
// A [View] is a state with the choice of what to show; it renders and does
// nothing else. Where the state comes from is the tools' business.
package statusview
