// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package exec

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/agents"
	"github.com/quorate/quorate/internal/clock"
)

func sh(script string, args ...string) Command {
	return Command{Path: "/bin/sh", Args: append([]string{"-c", script, "sh"}, args...), Env: os.Environ()}
}

func fifo(t *testing.T) (path string, lines func() string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	// Both ways, so that opening does not wait and no end of file is seen.
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	_ = f.SetReadDeadline(time.Now().Add(30 * time.Second))
	r := bufio.NewReader(f)
	return path, func() string {
		t.Helper()
		s, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(s)
	}
}

// pidfd is opened while the process lives; died waits for its end.
func pidfd(t *testing.T, pid string) (died func() bool) {
	t.Helper()
	n, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.PidfdOpen(n, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	return func() bool {
		for {
			n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 10_000)
			if err != unix.EINTR {
				return err == nil && n == 1
			}
		}
	}
}

func TestExitCodeOutputAndInput(t *testing.T) {
	c := sh("cat; echo err >&2; exit 7")
	c.Stdin = []byte("action=off\n")
	o := Runner{}.Run(t.Context(), c)
	if o.Err != nil || o.Code != 7 || string(o.Stdout) != "action=off\n" || string(o.Stderr) != "err\n" {
		t.Errorf("%+v", o)
	}
	if o.Ended.Before(o.Started) {
		t.Errorf("ended %v before it started %v", o.Ended, o.Started)
	}
}

func TestProgramThatIgnoresItsInputEnds(t *testing.T) {
	c := sh("exit 3")
	c.Stdin = bytes.Repeat([]byte("x"), 4<<20)
	if o := (Runner{}).Run(t.Context(), c); o.Code != 3 || o.Err != nil {
		t.Errorf("%+v", o)
	}
}

func TestProgramHasItsOwnSessionAndDevNull(t *testing.T) {
	var p agents.Process
	c := sh("read x; echo $$ $x; cut -d' ' -f5,6 /proc/$$/stat")
	c.Started = func(q agents.Process) { p = q }
	o := Runner{}.Run(t.Context(), c)
	pid := strconv.Itoa(p.PID)
	if want := pid + "\n" + pid + " " + pid + "\n"; string(o.Stdout) != want {
		t.Errorf("got %q, want %q", o.Stdout, want)
	}
	if p.Start == 0 {
		t.Error("no start time")
	}
}

func TestProgramInheritsNothing(t *testing.T) {
	r, w, err := os.Pipe() // of this process alone
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = r.Close(), w.Close() }()
	c := sh("ls /proc/self/fd; cat /proc/self/oom_score_adj; grep -E 'Sig(Blk|Ign)' /proc/self/status")
	c.Dir = "/"
	o := Runner{}.Run(t.Context(), c)
	// 3 is the folder that ls reads. The C library keeps signals 32 and 33 to
	// itself; what this test's own parent made of them, no program can change.
	got := regexp.MustCompile(`SigIgn:\t0000000[0-3]80000000|SigIgn:\t0000000[0-3]00000000`).ReplaceAllString(string(o.Stdout), "SigIgn: none")
	want := "0\n1\n2\n3\n0\nSigBlk:\t0000000000000000\nSigIgn: none\n"
	if got != want {
		t.Errorf("%q, not %q", o.Stdout, want)
	}
}

func TestDeathBySignal(t *testing.T) {
	if o := (Runner{}).Run(t.Context(), sh("kill -SEGV $$")); o.Signal != syscall.SIGSEGV || o.TimedOut {
		t.Errorf("%+v", o)
	}
}

func TestStartErrors(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, []byte("#!/bin/sh\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	bad := filepath.Join(t.TempDir(), "bad")
	if err := os.WriteFile(bad, []byte("#!/no/such/interpreter\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]syscall.Errno{
		"/no/such/agent": syscall.ENOENT, plain: syscall.EACCES, bad: syscall.ENOENT,
	} {
		o := Runner{}.Run(t.Context(), Command{Path: path})
		if errno, ok := Errno(o.Err); !ok || errno != want {
			t.Errorf("%s: %v, want %v", path, o.Err, want)
		}
	}
}

// An impatient clock ends timers of a minute when the test says so.
type impatient struct {
	clock.Clock
	due chan struct{}
}

func (c impatient) NewTimer(d time.Duration) clock.ChanTimer {
	t := c.Clock.NewTimer(d)
	if d == time.Minute {
		go func() { <-c.due; t.Reset(0) }()
	}
	return t
}

func TestTimeoutKillsTheWholeGroupEvenIfItIgnoresSIGTERM(t *testing.T) {
	path, line := fifo(t)
	ck := impatient{clock.Runtime(), make(chan struct{})}
	c := sh("trap '' TERM INT HUP; (trap '' TERM; exec sleep 1000) & echo $! >$1; wait", path)
	c.Timeout = time.Minute
	done := make(chan Outcome, 1)
	go func() { done <- Runner{Clock: ck}.Run(context.Background(), c) }()
	died := pidfd(t, line())
	close(ck.due)
	if o := <-done; !o.TimedOut || o.Stuck || !died() {
		t.Errorf("%+v", o)
	}
}

func TestCancelKillsTheGroup(t *testing.T) {
	path, line := fifo(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan Outcome, 1)
	go func() { done <- Runner{}.Run(ctx, sh("sleep 1000 & echo $! >$1; wait", path)) }()
	died := pidfd(t, line())
	cancel()
	if o := <-done; !o.Cancelled || !died() {
		t.Errorf("%+v", o)
	}
}

func TestWhatCannotBeKilledIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		began := time.Now()
		w := &waiter{exited: make(chan struct{}), gone: true} // a kill does nothing, and it never exits
		var o Outcome
		w.supervise(ctx, clock.Runtime(), time.Hour, &o)
		if !o.Cancelled || !o.Stuck || time.Since(began) != UnkillableAfter {
			t.Errorf("%+v after %v", o, time.Since(began))
		}
		r := o.Result("Resource agent", "/x", time.Hour, func(int) agents.ExitCode { return agents.OK })
		if !r.Stuck || r.Status != agents.StatusCancelled || r.Exit == agents.OK {
			t.Errorf("%+v", r)
		}
	})
}

func TestDaemonThatKeepsThePipesDoesNotHoldTheRun(t *testing.T) {
	path, line := fifo(t)
	o := Runner{}.Run(t.Context(), sh("sleep 1000 & echo $! >$1; echo started", path))
	if o.Code != 0 || string(o.Stdout) != "started\n" {
		t.Errorf("%+v", o)
	}
	pid, _ := strconv.Atoi(line())
	if err := syscall.Kill(pid, 0); err != nil {
		t.Errorf("the daemon is gone: %v", err)
	}
	_ = syscall.Kill(pid, syscall.SIGKILL)
}

func TestHundredMegabytesAreDrainedAndOnlyTheEndIsKept(t *testing.T) {
	o := Runner{}.Run(t.Context(), sh("head -c 104857600 /dev/zero; echo -n end; echo ocf-exit-reason:late >&2"))
	if o.Code != 0 || len(o.Stdout) != KeepOutput || !bytes.HasSuffix(o.Stdout, []byte("end")) {
		t.Errorf("code %d, %d bytes kept", o.Code, len(o.Stdout))
	}
	if string(o.Stderr) != "ocf-exit-reason:late\n" {
		t.Errorf("stderr %q", o.Stderr)
	}
}

func TestWhatIsInThePipeAtTheEndIsRead(t *testing.T) {
	for range 50 {
		if o := (Runner{}).Run(t.Context(), sh("echo one; echo two >&2")); string(o.Stdout) != "one\n" || string(o.Stderr) != "two\n" {
			t.Fatalf("%q %q", o.Stdout, o.Stderr)
		}
	}
}

func TestKillLeftOverChecksTheStartTime(t *testing.T) {
	path, line := fifo(t)
	started := make(chan agents.Process, 1)
	c := sh("sleep 1000 & echo $! >$1; wait", path)
	c.Started = func(p agents.Process) { started <- p }
	done := make(chan Outcome, 1)
	go func() { done <- Runner{}.Run(t.Context(), c) }()
	died, p := pidfd(t, line()), <-started
	if KillLeftOver(agents.Process{PID: p.PID, Start: p.Start + 1}) {
		t.Error("killed a process of another start time")
	}
	if !KillLeftOver(p) || !died() {
		t.Error("left-over group not killed")
	}
	if o := <-done; o.Signal != syscall.SIGKILL {
		t.Errorf("%+v", o)
	}
}

func TestFindMarkedFindsTheProgramButNotItsDaemon(t *testing.T) {
	path, line := fifo(t)
	agent := filepath.Join(t.TempDir(), "agent")
	script := "#!/bin/sh\nsetsid sleep 1000 & echo $! >" + path + "\nwait\n"
	if err := os.WriteFile(agent, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	mark := "QUORATE_CALL=test/" + t.Name() + strconv.Itoa(os.Getpid())
	started := make(chan agents.Process, 1)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan Outcome, 1)
	go func() {
		done <- Runner{}.Run(ctx, Command{Path: agent, Env: append(os.Environ(), mark), Started: func(p agents.Process) { started <- p }})
	}()
	daemon, _ := strconv.Atoi(line())
	p := <-started
	if got := FindMarked(mark, func(args, _ []string) bool { return slices.Contains(args, agent) }); len(got) != 1 || got[0] != p {
		t.Errorf("found %v, want %v", got, p)
	}
	cancel()
	<-done
	_ = syscall.Kill(daemon, syscall.SIGKILL)
}

func TestTailKeepsTheEnd(t *testing.T) {
	for _, chunk := range []int{1, 3, 7, 10, 11, 64} {
		tl := tail{keep: 10}
		var all []byte
		for i := range 5 {
			p := bytes.Repeat([]byte{byte('a' + i)}, chunk)
			all = append(all, p...)
			tl.write(p)
		}
		want := all[max(0, len(all)-10):]
		if got := tl.bytes(); !bytes.Equal(got, want) {
			t.Errorf("chunks of %d: %q, want %q", chunk, got, want)
		}
	}
}

func FuzzParseStat(f *testing.F) {
	b, _ := os.ReadFile("/proc/self/stat")
	f.Add(b)
	f.Add([]byte("1 (a) b) c) S 1 1 1"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, ok := parseStat(b); ok && s.state == 0 {
			t.Errorf("no state in %q", b)
		}
	})
}

func BenchmarkRun(b *testing.B) {
	c := Command{Path: "/bin/true"}
	for b.Loop() {
		Runner{}.Run(context.Background(), c)
	}
}
