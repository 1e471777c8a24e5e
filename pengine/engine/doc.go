// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package engine is the policy engine in process: it reads the CIB, has it
// scheduled, keeps the input and counts. It implements pengine.Engine; its
// methods may be called by several goroutines, each computation is on its own.
package engine
