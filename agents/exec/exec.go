// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package exec

import (
	"context"
	"errors"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/agents"
	"github.com/quorate/quorate/internal/clock"
)

const (
	// KeepOutput is how many of the last bytes of each stream are kept.
	KeepOutput = 64 << 10
	// UnkillableAfter is how long a killed process may take to go away before
	// it is given up.
	UnkillableAfter = 5 * time.Second
	// maxDrain bounds what is read after the program's end: a pipe's largest
	// capacity for an unprivileged process.
	maxDrain = 1 << 20
)

// A Command is a program to run.
type Command struct {
	Path string
	Args []string // without the program's name
	Env  []string
	Dir  string
	// Stdin is given to the program, then end of file; nil is /dev/null.
	Stdin   []byte
	Timeout time.Duration // 0 is none
	// Keep is how many of the last bytes of each stream are kept; 0 is
	// [KeepOutput].
	Keep int
	// Started is called with the new process before anything waits for it.
	Started func(agents.Process)
}

// An Outcome is how a program ended. Exactly one of Err, Signal, TimedOut,
// Cancelled and a plain exit holds.
type Outcome struct {
	Code   int            // exit code of a plain exit
	Signal syscall.Signal // that ended it, if no kill of ours did
	// Err says why the program could not be started.
	Err error
	// TimedOut and Cancelled tell that the group was killed by the timeout or
	// because the context ended.
	TimedOut, Cancelled bool
	// Stuck tells that the process was still there UnkillableAfter its kill.
	Stuck          bool
	Stdout, Stderr []byte
	Started, Ended time.Time
}

// A Runner starts programs. The zero value is ready; it is safe for concurrent
// use.
type Runner struct {
	// Clock is for timeouts; nil is the runtime's.
	Clock clock.Clock
}

// Run runs the program and returns when it has ended.
func (r Runner) Run(ctx context.Context, c Command) Outcome {
	ck := r.Clock
	if ck == nil {
		ck = clock.Runtime()
	}
	out := Outcome{Started: ck.Wall()}
	if err := ctx.Err(); err != nil {
		out.Cancelled, out.Ended = true, out.Started
		return out
	}
	keepToOneself()
	s, err := openStreams(c)
	if err != nil {
		out.Err, out.Ended = err, ck.Wall()
		return out
	}
	p, err := os.StartProcess(c.Path, append([]string{c.Path}, c.Args...), &os.ProcAttr{
		Dir: c.Dir, Env: c.Env, Files: s.child[:],
		Sys: &syscall.SysProcAttr{Setsid: true},
	})
	s.closeChild()
	if err != nil {
		s.abandon()
		out.Err, out.Ended = err, ck.Wall()
		return out
	}
	beOrdinary(p.Pid)
	if c.Started != nil {
		c.Started(agents.Process{PID: p.Pid, Start: StartTime(p.Pid)})
	}
	s.pump(c.Stdin)
	w := &waiter{p: p, exited: make(chan struct{})}
	go w.wait()
	w.supervise(ctx, ck, c.Timeout, &out)
	out.Stdout, out.Stderr = s.finish()
	out.Ended = ck.Wall()
	return out
}

// A waiter waits for one process. The kill and the reaping exclude each other,
// so that a kill never reaches a stranger that got the same number.
type waiter struct {
	p      *os.Process
	exited chan struct{}
	mu     sync.Mutex
	gone   bool             // guarded by mu
	state  *os.ProcessState // set before exited is closed
}

// wait returns when the process has exited and is reaped.
func (w *waiter) wait() {
	defer close(w.exited)
	for {
		err := unix.Waitid(unix.P_PID, w.p.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	w.mu.Lock()
	w.gone = true
	w.mu.Unlock()
	w.state, _ = w.p.Wait()
}

// kill ends the whole process group, if the process is not reaped yet.
func (w *waiter) kill() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.gone {
		_ = syscall.Kill(-w.p.Pid, syscall.SIGKILL)
	}
}

// supervise waits for the process, killing it when its time is over.
func (w *waiter) supervise(ctx context.Context, ck clock.Clock, timeout time.Duration, out *Outcome) {
	var late <-chan time.Time
	if timeout > 0 {
		t := ck.NewTimer(timeout)
		defer t.Stop()
		late = t.C()
	}
	select {
	case <-w.exited:
		w.plainEnd(out)
		return
	case <-late:
		out.TimedOut = true
	case <-ctx.Done():
		out.Cancelled = true
	}
	w.kill()
	t := ck.NewTimer(UnkillableAfter)
	defer t.Stop()
	select {
	case <-w.exited:
	case <-t.C():
		out.Stuck = true
	}
}

func (w *waiter) plainEnd(out *Outcome) {
	if w.state == nil {
		out.Err = errors.New("exec: process was reaped by another")
		return
	}
	ws, ok := w.state.Sys().(syscall.WaitStatus)
	if ok && ws.Signaled() {
		out.Signal = ws.Signal()
		return
	}
	out.Code = w.state.ExitCode()
}

// streams are a program's standard streams.
type streams struct {
	child          [3]*os.File
	in             *os.File // write end, nil without input
	stdout, stderr *capture
	readers        sync.WaitGroup
}

func openStreams(c Command) (*streams, error) {
	s := &streams{}
	var err error
	defer func() {
		if err != nil {
			s.closeChild()
			s.abandon()
		}
	}()
	if c.Stdin == nil {
		s.child[0], err = os.Open(os.DevNull)
	} else {
		s.child[0], s.in, err = os.Pipe()
	}
	if err != nil {
		return nil, err
	}
	keep := c.Keep
	if keep <= 0 {
		keep = KeepOutput
	}
	s.stdout, s.child[1], err = newCapture(keep)
	if err != nil {
		return nil, err
	}
	s.stderr, s.child[2], err = newCapture(keep)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (s *streams) closeChild() {
	for i, f := range s.child {
		if f != nil {
			_ = f.Close()
			s.child[i] = nil
		}
	}
}

// abandon releases what a program that never started would have used.
func (s *streams) abandon() {
	if s.in != nil {
		_ = s.in.Close()
	}
	for _, c := range []*capture{s.stdout, s.stderr} {
		if c != nil {
			_ = c.pipe.Close()
		}
	}
}

// pump starts to feed and to drain the program.
func (s *streams) pump(stdin []byte) {
	if s.in != nil {
		s.readers.Go(func() {
			// A program that does not read its input gets no more of it: the
			// error (EPIPE, or the deadline set at the end) is no news.
			_, _ = s.in.Write(stdin)
			_ = s.in.Close()
		})
	}
	s.readers.Go(s.stdout.drain)
	s.readers.Go(s.stderr.drain)
}

// finish takes what is still in the pipes, without waiting for their end.
func (s *streams) finish() (stdout, stderr []byte) {
	past := time.Unix(1, 0)
	if s.in != nil {
		_ = s.in.SetWriteDeadline(past)
	}
	_ = s.stdout.pipe.SetReadDeadline(past)
	_ = s.stderr.pipe.SetReadDeadline(past)
	s.readers.Wait()
	s.stdout.rest()
	s.stderr.rest()
	return s.stdout.bytes(), s.stderr.bytes()
}

// A capture drains one stream and keeps its last bytes.
type capture struct {
	pipe *os.File
	tail tail
}

func newCapture(keep int) (*capture, *os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	return &capture{pipe: r, tail: tail{keep: keep}}, w, nil
}

var buffers = sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}

func (c *capture) drain() {
	b := buffers.Get().(*[]byte)
	defer buffers.Put(b)
	for {
		n, err := c.pipe.Read(*b)
		c.tail.write((*b)[:n])
		if err != nil {
			return
		}
	}
}

// rest reads what is in the pipe at this moment and closes it.
func (c *capture) rest() {
	defer func() { _ = c.pipe.Close() }()
	if c.pipe.SetReadDeadline(time.Time{}) != nil {
		return
	}
	raw, err := c.pipe.SyscallConn()
	if err != nil {
		return
	}
	b := buffers.Get().(*[]byte)
	defer buffers.Put(b)
	for got := 0; got < maxDrain; {
		n, rerr := 0, error(nil)
		err = raw.Read(func(fd uintptr) bool {
			n, rerr = syscall.Read(int(fd), *b)
			return true
		})
		if errors.Is(rerr, syscall.EINTR) {
			continue
		}
		if err != nil || rerr != nil || n <= 0 {
			return
		}
		c.tail.write((*b)[:n])
		got += n
	}
}

func (c *capture) bytes() []byte { return c.tail.bytes() }
