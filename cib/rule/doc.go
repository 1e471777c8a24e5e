// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package rule evaluates the rules of the CIB (node attributes, dates,
// resources, operations) and reads the blocks of name and value pairs that may
// carry them. It is pure: the time is part of the [Input]. A rule that cannot be
// understood does not hold.
package rule
