// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package invariant

import (
	"errors"
	"testing"
)

func caught(f func()) (v error) {
	defer func() {
		if r := recover(); r != nil {
			v = r.(error)
		}
	}()
	f()
	return nil
}

func TestCheckPanicsOnlyWhenBroken(t *testing.T) {
	if err := caught(func() { Check(true, "holds") }); err != nil {
		t.Errorf("Check(true) panicked with %v", err)
	}
	err := caught(func() { Check(false, "seq %d after %d", 3, 5) })
	var v Violation
	if !errors.As(err, &v) || v.Error() != "invariant: seq 3 after 5" {
		t.Errorf("Check(false) gave %v", err)
	}
	if err := caught(func() { Unreachable("state %q", "x") }); err == nil || err.Error() != `invariant: unreachable: state "x"` {
		t.Errorf("Unreachable gave %v", err)
	}
}
