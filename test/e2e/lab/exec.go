// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A Result is what a command in a node said and how it ended. Code is -1 where
// it did not run to its end.
type Result struct {
	Command string
	Stdout  string
	Stderr  string
	Code    int
	Took    time.Duration
}

// String gives command, code and all output, for messages.
func (r Result) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s: exit code %d\n%s%s", r.Command, r.Code, r.Stdout, r.Stderr))
}

// Err is nil where the command ended with 0.
func (r Result) Err() error {
	if r.Code == 0 {
		return nil
	}
	return errors.New(r.String())
}

// environment is what a login of the administrator has.
var environment = []string{
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "TERM=dumb", "LANG=C.UTF-8", "USER=root",
}

// Exec runs a command inside the node as its administrator.
func (n *Node) Exec(ctx context.Context, argv ...string) Result {
	return n.ExecInput(ctx, nil, argv...)
}

// Shell runs a shell command line inside the node.
func (n *Node) Shell(ctx context.Context, line string) Result {
	return n.Exec(ctx, "/bin/sh", "-c", line)
}

// ExecInput is Exec with something on standard input.
func (n *Node) ExecInput(ctx context.Context, stdin io.Reader, argv ...string) Result {
	r := Result{Command: n.Name + "$ " + strings.Join(argv, " "), Code: -1}
	pid := n.pid()
	if pid == 0 {
		r.Stderr = "the node is off"
		return r
	}
	var stdout, stderr bytes.Buffer
	cmd := n.command(ctx, pid, argv)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &stdout, &stderr
	began := time.Now()
	err := cmd.Run()
	r.Took = time.Since(began)
	r.Stdout, r.Stderr = stdout.String(), stderr.String()
	var exit *exec.ExitError
	switch {
	case err == nil:
		r.Code = 0
	case errors.As(err, &exit):
		r.Code = exit.ExitCode()
	default:
		r.Stderr += err.Error()
	}
	if ctx.Err() != nil {
		r.Stderr += fmt.Sprintf("stopped after %v: %v", r.Took.Round(time.Millisecond), ctx.Err())
	}
	return r
}

func (n *Node) command(ctx context.Context, pid int, argv []string) *exec.Cmd {
	args := []string{"-t", strconv.Itoa(pid), "-m", "-u", "-i", "-n", "-p", "-C", "--"}
	cmd := exec.CommandContext(ctx, "nsenter", append(args, argv...)...)
	cmd.Env = environment
	// nsenter has a child inside the node; both end with the context.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	return cmd
}

// WriteFile puts a file on the node's disk, whether the node is on or off.
func (n *Node) WriteFile(path string, mode os.FileMode, text string) error {
	return writeFiles(n.Root(), []file{{path, mode, text}})
}

// ReadFile reads a file of the node's disk.
func (n *Node) ReadFile(path string) (string, error) {
	b, err := os.ReadFile(filepath.Join(n.Root(), path))
	return string(b), err
}

// Processes lists the node's processes of that name, as seen from here.
func (n *Node) Processes(name string) []int {
	ns, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", n.pid()))
	if err != nil {
		return nil
	}
	var out []int
	for _, p := range inNamespace(ns) {
		if processName(p) == name {
			out = append(out, p)
		}
	}
	return out
}

// Signal sends a signal to every process of that name and returns how many
// there were.
func (n *Node) Signal(name string, sig syscall.Signal) int {
	found := n.Processes(name)
	for _, p := range found {
		_ = syscall.Kill(p, sig)
	}
	return len(found)
}

// Freeze stops all processes of the node, as a hypervisor's pause does.
func (n *Node) Freeze() { n.signalAll(syscall.SIGSTOP) }

// Thaw lets them run on.
func (n *Node) Thaw() { n.signalAll(syscall.SIGCONT) }

func (n *Node) signalAll(sig syscall.Signal) {
	ns, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", n.pid()))
	if err != nil {
		return
	}
	// Twice: one that was just being forked is missed the first time.
	for range 2 {
		for _, p := range inNamespace(ns) {
			_ = syscall.Kill(p, sig)
		}
	}
}

// Journal returns the node's log since it was made, also while it is off.
func (n *Node) Journal(ctx context.Context, args ...string) string {
	dir := filepath.Join(n.Root(), "var/log/journal")
	if n.Running() {
		n.Exec(ctx, "journalctl", "--sync")
	}
	args = append([]string{"-D", dir, "--no-pager", "-o", "short-precise", "-q"}, args...)
	out, _ := exec.CommandContext(ctx, "journalctl", args...).CombinedOutput()
	return string(out)
}

func (n *Node) saveLogs(ctx context.Context, to string) error {
	save := func(name, text string) error {
		return os.WriteFile(filepath.Join(to, n.Name+"-"+name), []byte(text), 0o644)
	}
	console, _ := os.ReadFile(filepath.Join(n.dir, "console"))
	errs := []error{save("journal.txt", n.Journal(ctx)), save("console.txt", string(console))}
	if text, err := n.ReadFile("/var/lib/pacemaker/cib/cib.xml"); err == nil {
		errs = append(errs, save("cib-on-disk.xml", text))
	}
	// What the policy engine was asked, to be asked again with crm_simulate.
	inputs, _ := filepath.Glob(filepath.Join(n.Root(), "var/lib/pacemaker/pengine/pe-*"))
	for _, file := range inputs {
		text, err := os.ReadFile(file)
		if err == nil {
			err = save(filepath.Base(file), string(text))
		}
		errs = append(errs, err)
	}
	if n.Running() {
		short, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		errs = append(errs, save("crm_mon.txt", n.Exec(short, "crm_mon", "-1rfA").String()),
			save("cib.xml", n.Exec(short, "cibadmin", "-Q", "-l").String()))
	}
	return errors.Join(errs...)
}

// Output runs a command inside the node and writes what it prints as it comes,
// so that nothing is lost when the node dies.
func (n *Node) Output(ctx context.Context, to io.Writer, argv ...string) {
	if pid := n.pid(); pid != 0 {
		cmd := n.command(ctx, pid, argv)
		cmd.Stdout = to
		_ = cmd.Run() // the end of the node is one way to end
	}
}
