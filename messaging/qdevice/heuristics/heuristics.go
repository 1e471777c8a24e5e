// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package heuristics

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// MaxChecks bounds the checks of one run.
const MaxChecks = 32

// A Check is one test of the node's place: a program with its arguments, or
// addresses of which one must answer.
type Check struct {
	Name  string
	Argv  []string
	Pings []netip.Addr
}

// Exec makes a check of a command line: words separated by blanks, with quotes
// and backslashes as in a shell; nothing else of a shell.
func Exec(name, line string) (Check, error) {
	argv, err := words(line)
	if err == nil && (len(argv) == 0 || !strings.HasPrefix(argv[0], "/")) {
		err = errors.New("it needs the full path of a program")
	}
	if err != nil {
		return Check{}, fmt.Errorf("heuristics: exec_%s: %w", name, err)
	}
	return Check{Name: name, Argv: argv}, nil
}

// Ping makes a check of the addresses of a ping node.
func Ping(name, addrs string) (Check, error) {
	c := Check{Name: name}
	for w := range strings.FieldsSeq(addrs) {
		a, err := netip.ParseAddr(w)
		if err != nil {
			return Check{}, fmt.Errorf("heuristics: ping_%s: %w", name, err)
		}
		c.Pings = append(c.Pings, a.Unmap())
	}
	if len(c.Pings) == 0 {
		return Check{}, fmt.Errorf("heuristics: ping_%s: no address", name)
	}
	return c, nil
}

// words splits a command line.
func words(line string) (out []string, err error) {
	var word strings.Builder
	in, quote := false, rune(0)
	escaped := false
	for _, r := range line {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			escaped, in = true, true
		case quote != 0:
			if r == quote {
				quote = 0
			} else {
				word.WriteRune(r)
			}
		case r == '"' || r == '\'':
			quote, in = r, true
		case r == ' ' || r == '\t':
			if in {
				out = append(out, word.String())
				word.Reset()
				in = false
			}
		default:
			word.WriteRune(r)
			in = true
		}
	}
	if quote != 0 || escaped {
		return nil, errors.New("a quote or backslash has no end")
	}
	if in {
		out = append(out, word.String())
	}
	return out, nil
}

// A Runner runs checks.
type Runner struct {
	Checks []Check
	Log    *slog.Logger
	// Probe asks one address for an answer; nil sends echo requests.
	Probe func(ctx context.Context, addr netip.Addr) error
}

// Run carries out all checks within limit and tells whether all passed.
func (r *Runner) Run(ctx context.Context, limit time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	results := make(chan error, len(r.Checks))
	for _, c := range r.Checks {
		go func() {
			err := r.one(ctx, c)
			if err != nil && ctx.Err() == nil {
				r.Log.Warn("heuristic failed", "name", c.Name, "error", err)
			}
			results <- err
		}()
	}
	pass := true
	for range r.Checks {
		if err := <-results; err != nil {
			pass = false
			cancel() // the rest does not matter any more
		}
	}
	return pass
}

func (r *Runner) one(ctx context.Context, c Check) error {
	if len(c.Argv) > 0 {
		return execute(ctx, c.Argv)
	}
	probe := r.Probe
	if probe == nil {
		probe = Echo
	}
	answers := make(chan error, len(c.Pings))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, a := range c.Pings {
		go func() { answers <- probe(ctx, a) }()
	}
	var errs []error
	for range c.Pings {
		err := <-answers
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// execute runs a program in a process group of its own, which is killed when
// the time is over.
func execute(ctx context.Context, argv []string) error {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("heuristics: %s: %w", argv[0], err)
	}
	// The daemon's own priority is not the program's. It may have ended by now.
	_ = unix.SchedSetAttr(cmd.Process.Pid, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_NORMAL}, 0)
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("heuristics: %s: %w", argv[0], err)
	}
	return nil
}
