// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package conformance holds what compares our scheduler with Pacemaker's on the
// same cluster states. The tests here give both programs the same options;
// package mutants gives both the same damaged states.
//
// All need the path of a real crm_simulate in QUORATE_REAL_SIMULATE and are
// skipped without; nothing of that program is part of this project.
package conformance
