// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package archive keeps the inputs of the policy engine for replay, as
// pe-input-N.bz2, pe-warn-N.bz2 and pe-error-N.bz2 with a number each series
// begins anew after its maximum. Names are given at once; compressing and
// writing happen behind the caller's back, in order, by one goroutine.
package archive
