// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package view makes what two crm_simulate programs print comparable: white
// space, the numbers given to parts of a graph, and the order of what has no
// order do not count. It is what the judge of the conformance corpus compares.
package view
