// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package invariant

import "fmt"

// A Violation is the value that a broken invariant panics with.
type Violation struct {
	Msg string
}

// Error implements error, so that a recovered value prints well.
func (v Violation) Error() string { return "invariant: " + v.Msg }

// Check panics with a [Violation] where ok is false. The message says what was
// promised, with the values that break it.
func Check(ok bool, format string, args ...any) {
	if !ok {
		panic(Violation{Msg: fmt.Sprintf(format, args...)})
	}
}

// Unreachable panics with a [Violation]; it stands where the code cannot come.
func Unreachable(format string, args ...any) {
	panic(Violation{Msg: fmt.Sprintf("unreachable: "+format, args...)})
}
