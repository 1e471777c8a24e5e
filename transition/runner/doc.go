// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package runner is the shell around transition/machine: a goroutine for each
// run owns its machine, keeps the timers and hands the steps out in order. It
// implements [transition.Engine] in process.
package runner
