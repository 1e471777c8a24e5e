// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// startTime is when a process was started, in the kernel's ticks; "" if there is
// no such process.
func startTime(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// The name in brackets may hold anything; what follows it is regular.
	_, rest, ok := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 20 {
		return ""
	}
	return fields[19]
}

func children(pid int) []int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return nil
	}
	var out []int
	for f := range strings.FieldsSeq(string(text)) {
		if p, err := strconv.Atoi(f); err == nil {
			out = append(out, p)
		}
	}
	return out
}

func processName(pid int) string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	return strings.TrimSpace(string(text))
}

// inNamespace lists the processes of a pid namespace.
func inNamespace(ns string) []int {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	var out []int
	for _, d := range dirs {
		if have, err := os.Readlink(d + "/ns/pid"); err == nil && have == ns {
			if p, err := strconv.Atoi(filepath.Base(d)); err == nil {
				out = append(out, p)
			}
		}
	}
	return out
}

// groupRoots are the control group hierarchies in which systemd makes groups: a
// node gets a group of its own in each, so that it cannot see another node's
// units of the same name.
func groupRoots() []string {
	var roots []string
	for _, d := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd"} {
		if _, err := os.Stat(filepath.Join(d, "cgroup.procs")); err == nil {
			roots = append(roots, d)
		}
	}
	return roots
}

// makeGroups makes the groups of a node and returns their cgroup.procs files.
func makeGroups(labDir, node string) []string {
	var files []string
	for _, r := range groupRoots() {
		d := filepath.Join(r, filepath.Base(labDir), node)
		if err := os.MkdirAll(d, 0o755); err == nil {
			files = append(files, filepath.Join(d, "cgroup.procs"))
		}
	}
	return files
}

// removeGroups removes the groups of a lab, waiting a little for processes that
// are being killed.
func removeGroups(labDir string) {
	for _, r := range groupRoots() {
		d := filepath.Join(r, filepath.Base(labDir))
		for range 50 {
			if removeGroup(d) {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
}

// removeGroup removes a group and those in it, and tells whether it is gone.
func removeGroup(dir string) bool {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return errors.Is(err, os.ErrNotExist)
	}
	for _, e := range entries {
		if e.IsDir() {
			removeGroup(filepath.Join(dir, e.Name()))
		}
	}
	return os.Remove(dir) == nil
}
