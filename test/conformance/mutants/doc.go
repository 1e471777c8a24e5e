// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package mutants compares what our scheduler decides with what Pacemaker's
// crm_simulate decides on the same cluster states.
//
// TestMutations takes the states of the conformance corpus beside the module,
// changes each at random (package mutate) and gives the result to both. It needs
// the path of a real crm_simulate of the corpus' version; nothing of that
// program is part of this project:
//
//	QUORATE_REAL_SIMULATE=/path/to/crm_simulate QUORATE_MUTATIONS=20000 go test ./test/conformance/mutants -run TestMutations -v
//
// QUORATE_FIRST_SEED is the first seed (1), QUORATE_CHANGES how many changes a
// state gets at most (4), QUORATE_ROUNDS how often what comes of a state is changed
// and compared again (1), QUORATE_KEEP a folder that gets the states that differ,
// made as small as dropping changes makes them, with what differs, QUORATE_WORKERS
// how many run side by side (2).
package mutants
