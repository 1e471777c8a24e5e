// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package exit

import (
	"errors"
	"fmt"
	"io"
	"testing"
)

func TestTextsAreThoseClientsKnow(t *testing.T) {
	for code, want := range map[Code]string{
		0: "OK", 1: "Error occurred", 64: "Incorrect usage", 102: "Not connected",
		105: "No such object", 108: "Requested item already exists", 124: "Timeout occurred", 99: "Unknown exit status",
	} {
		if got := code.String(); got != want {
			t.Errorf("%d: %q, want %q", code, got, want)
		}
	}
	if Disconnect.Name() != "CRM_EX_DISCONNECT" || Code(99).Known() {
		t.Error("names are wrong")
	}
}

func TestCodeSurvivesWrapping(t *testing.T) {
	err := fmt.Errorf("query: %w", Errorf(NoSuch, "no resource %q: %w", "web", io.EOF))
	if Of(err) != NoSuch || !errors.Is(err, io.EOF) {
		t.Errorf("code %d of %v", Of(err), err)
	}
	if Of(nil) != OK || Of(io.EOF) != Error || Of(Silent(Quorum)) != Quorum {
		t.Error("codes of plain errors are wrong")
	}
}
