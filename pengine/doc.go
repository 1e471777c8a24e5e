// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package pengine is the policy engine: from the CIB, configuration and status,
// it decides what is to run where and in which order to get there, as a
// transition graph. The decision is one pure function without clock, I/O or
// randomness.
package pengine
