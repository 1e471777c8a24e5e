// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package peer runs our crm_simulate and the real one on the same file in turns
// and compares time and memory. The real one is found by QUORATE_REAL_SIMULATE,
// else by PATH; without it all is skipped. The programs are measured by what the
// kernel counts for them, so this package keeps its own process small: a child
// inherits the peak of its parent.
package peer
