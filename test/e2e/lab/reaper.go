// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package lab

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// reapVariable tells a copy of the test program that it is the reaper, and of
// which folder.
const reapVariable = "QUORATE_LAB_REAP"

// Reap does the reaper's work and ends the process, where this process was
// started as one. A test program that uses labs calls it first of all.
func Reap() {
	dir := os.Getenv(reapVariable)
	if dir == "" {
		return
	}
	// The end of the input is the end of the program that made the lab.
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := destroy(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Guard has a folder destroyed, with all processes whose QUORATE_ROOT is below
// it, once this process is gone; for clusters that are made without a [Lab].
// Closing what it returns destroys the folder at once.
func Guard(dir string) (io.Closer, error) { return startReaper(dir) }

// startReaper starts a process that destroys the lab once this one is gone.
func startReaper(dir string) (io.Closer, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), reapVariable+"="+dir)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // a ^C is not for it
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("lab: reaper: %w", err)
	}
	go func() { _ = cmd.Wait() }()
	return in, nil
}

// destroy ends the processes of a lab and removes its mounts and its folder. It
// works from the folder alone, and may be called twice.
func destroy(dir string) error {
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	supervisors, _ := filepath.Glob(filepath.Join(dir, "node*", "supervisor"))
	for _, f := range supervisors {
		killSupervisor(f)
	}
	killRoots(dir)
	var err error
	for range 50 { // a file system is busy until its processes are gone
		if err = unmountBelow(dir); err == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err != nil {
		return fmt.Errorf("lab: left behind: %w", err)
	}
	removeGroups(dir)
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	return nil
}

// killSupervisor ends a node by the file that holds its supervisor's process id
// and start time, which tell it from a later process of that id.
func killSupervisor(file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		return
	}
	pid, born, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	p, err := strconv.Atoi(pid)
	if err != nil || startTime(p) != born {
		return
	}
	for _, child := range children(p) {
		_ = syscall.Kill(child, syscall.SIGKILL)
	}
	_ = syscall.Kill(p, syscall.SIGKILL)
}

// killRoots ends the processes of nodes whose root is below a folder.
func killRoots(dir string) {
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, f := range files {
		env, err := os.ReadFile(f)
		if err != nil || !bytes.Contains(env, []byte("QUORATE_ROOT="+dir+"/")) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(f))); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// unmountBelow unmounts every file system under dir, the innermost first.
func unmountBelow(dir string) error {
	points, err := mountsBelow("/proc/self/mountinfo", dir)
	if err != nil {
		return err
	}
	slices.Reverse(points)
	for _, p := range points {
		if err := unix.Unmount(p, 0); err != nil {
			return fmt.Errorf("unmount %s: %w", p, err)
		}
	}
	return nil
}

func mountsBelow(mountinfo, dir string) ([]string, error) {
	f, err := os.Open(mountinfo)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var points []string
	for sc := bufio.NewScanner(f); sc.Scan(); {
		if fields := strings.Fields(sc.Text()); len(fields) > 4 && strings.HasPrefix(fields[4], dir+"/") {
			points = append(points, fields[4])
		}
	}
	return points, nil
}
