// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package e2e

import (
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/quorate/quorate/test/e2e/lab"
)

func TestMain(m *testing.M) {
	lab.Reap()
	code := m.Run()
	if built {
		if dir, err := programs(); err == nil {
			_ = os.RemoveAll(dir)
		}
	}
	if shared.lab != nil {
		if err := shared.lab.Down(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// shared are the machines that all tests use, one after the other.
var shared struct {
	once sync.Once
	lab  *lab.Lab
	err  error
	said bool // that there is no lab
}

// clusterSize is the number of nodes of the lab.
const clusterSize = 3

// machines returns the lab with all nodes fresh and off, or skips the test.
func machines(t *testing.T) *lab.Lab {
	t.Helper()
	if testing.Short() {
		t.Skip("no lab in a short run")
	}
	if why := lab.Missing(); why != "" {
		if shared.said {
			t.SkipNow() // one line is enough
		}
		shared.said = true
		t.Skip(why)
	}
	shared.once.Do(func() {
		shared.lab, shared.err = lab.Start(t.Context(), lab.Options{Nodes: clusterSize, Image: os.Getenv("E2E_IMAGE"), Log: t.Logf})
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	if err := shared.lab.Renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	return shared.lab
}
