// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package run

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"
)

// How the supervisor deals with its children.
const (
	readyWait    = 10 * time.Second       // then the next daemon starts anyway
	firstBackoff = 100 * time.Millisecond // after the first death
	lastBackoff  = 5 * time.Second
	steadyAfter  = 10 * time.Second // a life this long resets the back-off
	killGrace    = 10 * time.Second // for the daemons below the controller
)

// A supervisor runs children in order and stops them in reverse.
type supervisor struct {
	children    []*child
	log         *prefixer
	stopTimeout time.Duration
	runDir      string
}

// A child is one daemon that is kept alive until told to stop.
type child struct {
	name, path string
	args       []string
	log        *prefixer
	notify     *notifySocket
	patience   time.Duration // between SIGTERM and SIGKILL

	stop chan struct{} // closed to end the child for good
	done chan struct{} // closed when it has ended for good
}

func (s *supervisor) add(name, path string, args []string) {
	patience := killGrace
	if name == "crmd" {
		patience = s.stopTimeout
	}
	s.children = append(s.children, &child{
		name: name, path: path, args: args, log: s.log, patience: patience,
		stop: make(chan struct{}), done: make(chan struct{}),
	})
}

// run starts the children, waits for ctx, and stops them.
func (s *supervisor) run(ctx context.Context) error {
	var started []*child
	var err error
	for _, c := range s.children {
		if c.notify, err = listenNotify(s.runDir, c.name); err != nil {
			break
		}
		started = append(started, c)
		go c.live()
		if !c.awaitReady(ctx) {
			break
		}
	}
	if err == nil {
		s.log.say("run", "all daemons are started")
		<-ctx.Done()
	}
	s.log.say("run", "stopping")
	for _, c := range slices.Backward(started) {
		close(c.stop)
		<-c.done
		c.notify.close()
	}
	return err
}

// awaitReady returns when the child serves, or has taken too long; false where
// ctx ended meanwhile.
func (c *child) awaitReady(ctx context.Context) bool {
	late := time.NewTimer(readyWait)
	defer late.Stop()
	select {
	case <-c.notify.ready:
	case <-late.C:
		c.log.say(c.name, "not ready yet: going on")
	case <-ctx.Done():
		return false
	}
	return true
}

// live starts the child again and again until it is to stop.
func (c *child) live() {
	defer close(c.done)
	// The kernel's parent-death signal hangs on the thread that forked.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	wait := firstBackoff
	for {
		began := time.Now()
		err := c.once()
		select {
		case <-c.stop:
			return
		default:
		}
		if time.Since(began) > steadyAfter {
			wait = firstBackoff
		}
		c.log.say(c.name, "ended (%v): starting again in %v", describe(err), wait)
		select {
		case <-c.stop:
			return
		case <-time.After(wait):
		}
		wait = min(2*wait, lastBackoff)
	}
}

// once runs the child until it ends, and ends it when it is to stop.
func (c *child) once() error {
	cmd := exec.Command(c.path, c.args...)
	out := c.log.writer(c.name)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+c.notify.path)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	// Agents inherit the pipe and may outlive the daemon.
	cmd.WaitDelay = 100 * time.Millisecond
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { c.stopOnDemand(cmd.Process, ended) })
	err := cmd.Wait()
	close(ended)
	wg.Wait()
	out.flush()
	if errors.Is(err, exec.ErrWaitDelay) {
		return nil
	}
	return err
}

func (c *child) stopOnDemand(p *os.Process, ended <-chan struct{}) {
	select {
	case <-ended:
		return
	case <-c.stop:
	}
	_ = p.Signal(syscall.SIGTERM)
	late := time.NewTimer(c.patience)
	defer late.Stop()
	select {
	case <-ended:
	case <-late.C:
		c.log.say(c.name, "did not stop within %v: killed", c.patience)
		_ = p.Kill()
	}
}

func describe(err error) string {
	if err == nil {
		return "exit status 0"
	}
	return err.Error()
}
