// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package faults

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/quorate/quorate/test/e2e/lab"
)

func TestMain(m *testing.M) {
	lab.Reap()
	code := m.Run()
	if built != "" {
		_ = os.RemoveAll(built)
	}
	os.Exit(code)
}

// built is the folder of the programs, once there is one.
var built string

// programs builds all programs once; $QUORATE_FAULTS_BIN names a folder of others.
var programs = sync.OnceValues(func() (string, error) {
	if dir := os.Getenv("QUORATE_FAULTS_BIN"); dir != "" {
		return dir, nil
	}
	dir, err := os.MkdirTemp("", "quorate-bin-")
	if err != nil {
		return "", err
	}
	built = dir
	cmd := exec.Command("go", "build", "-o", dir, "./cmd/...")
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return dir, nil
})

// onRequest keeps a test out of the ordinary run.
func onRequest(t *testing.T) {
	t.Helper()
	if os.Getenv("QUORATE_FAULTS") == "" {
		t.Skip("runs with QUORATE_FAULTS=1")
	}
}

// seed is the one of the switch.
func seed(t *testing.T) uint64 {
	t.Helper()
	text := os.Getenv("QUORATE_FAULTS_SEED")
	if text == "" {
		return 1
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("QUORATE_FAULTS_SEED: %v", err)
	}
	return n
}

func logFolder() string {
	if dir := os.Getenv("E2E_LOGS"); dir != "" {
		return dir
	}
	return filepath.Join(os.TempDir(), "quorate-faults-logs")
}

// missing tells in one line why this machine cannot run the nodes, or "".
func missing() string {
	if os.Geteuid() != 0 {
		return "the nodes need root (network namespaces, TAP devices)"
	}
	f, err := os.OpenFile("/dev/net/tun", os.O_RDWR, 0)
	if err != nil {
		return "the nodes need TAP devices: " + err.Error()
	}
	_ = f.Close()
	return ""
}
