// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package hammer tries decoders with a great many mutated inputs, for tests.
//
// Go's own fuzzing looks for new paths and costs tens of microseconds a try.
// [Run] does not look, and costs what the decoder costs: ten million tries are a
// matter of seconds. It starts from the seeds given and from what fuzzing has
// found, the corpus in testdata/fuzz. The same seeds give the same inputs.
//
// QUORATE_FUZZ_RUNS says how many inputs each test tries.
package hammer
