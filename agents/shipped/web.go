// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package shipped

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"os"
	osexec "os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/agents"
	"github.com/quorate/quorate/agents/exec"
)

// webdemo is a small web server for demonstrations: it says which node answers.
func webActions() map[string]action {
	return map[string]action{
		"start": webStart, "stop": webStop, "monitor": webMonitor, "status": webMonitor,
		"validate-all": webValidate, "serve": webServe,
	}
}

// webAnswer is how long the server may take to answer a monitor.
const webAnswer = 5 * time.Second

func (c *Call) webAddress() (string, error) {
	port := c.param("port", "8080")
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return "", fmt.Errorf("parameter port: %q is not from 1 to 65535", port)
	}
	host := c.param("address", "")
	if host != "" && net.ParseIP(host) == nil {
		return "", fmt.Errorf("parameter address: %q is not an address", host)
	}
	return net.JoinHostPort(host, port), nil
}

func webValidate(_ context.Context, c *Call) agents.ExitCode {
	if _, err := c.webAddress(); err != nil {
		return c.fail(agents.NotConfigured, "%v", err)
	}
	if root := c.param("docroot", ""); root != "" && !c.probe() {
		if st, err := os.Stat(root); err != nil || !st.IsDir() {
			return c.fail(agents.NotInstalled, "parameter docroot: %s is not a folder", root)
		}
	}
	return agents.OK
}

// webProcess is the server that the state file names, if it still runs.
func (c *Call) webProcess() (p agents.Process, file string, err error) {
	if file, err = c.stateFile("pid"); err != nil {
		return p, file, err
	}
	b, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return p, file, nil
	}
	if err != nil {
		return p, file, err
	}
	var pid int
	var start uint64
	if _, err := fmt.Sscan(string(b), &pid, &start); err != nil || pid <= 1 || start == 0 || exec.StartTime(pid) != start {
		return p, file, nil //nolint:nilerr // a file that names no process is as good as none
	}
	return agents.Process{PID: pid, Start: start}, file, nil
}

func webStart(ctx context.Context, c *Call) agents.ExitCode {
	if rc := webValidate(ctx, c); rc != agents.OK {
		return rc
	}
	addr, _ := c.webAddress()
	p, file, err := c.webProcess()
	if err != nil {
		return c.fail(agents.GenericError, "%v", err)
	}
	if p.PID != 0 {
		return agents.OK
	}
	// The port is opened here and handed on, so that one in use is a failed
	// start and the server answers as soon as the start is done.
	lis, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return c.fail(agents.GenericError, "%v", err)
	}
	defer func() { _ = lis.Close() }()
	tcp, ok := lis.(*net.TCPListener)
	if !ok {
		return c.fail(agents.GenericError, "listener is no TCP socket")
	}
	f, err := tcp.File()
	if err != nil {
		return c.fail(agents.GenericError, "%v", err)
	}
	defer func() { _ = f.Close() }()
	self, err := os.Executable()
	if err != nil {
		return c.fail(agents.GenericError, "%v", err)
	}
	cmd := osexec.Command(self, "ocf", "webdemo", "serve") //nolint:noctx // it outlives this process
	cmd.ExtraFiles = []*os.File{f}
	cmd.Env = append(os.Environ(), "QUORATE_EXECUTOR=")
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return c.fail(agents.GenericError, "%v", err)
	}
	pid := cmd.Process.Pid
	note := fmt.Sprintf("%d %d\n", pid, exec.StartTime(pid))
	if err := os.WriteFile(file, []byte(note), 0o644); err != nil {
		_ = cmd.Process.Kill()
		return c.fail(agents.GenericError, "%v", err)
	}
	_ = cmd.Process.Release()
	return agents.OK
}

// webStopGrace is how long the server may take to end when it is asked to.
const webStopGrace = 2 * time.Second

func webStop(_ context.Context, c *Call) agents.ExitCode {
	p, file, err := c.webProcess()
	if err != nil {
		return c.fail(agents.GenericError, "%v", err)
	}
	if p.PID != 0 {
		fd, err := unix.PidfdOpen(p.PID, 0)
		if err == nil {
			defer func() { _ = unix.Close(fd) }()
			_ = unix.PidfdSendSignal(fd, unix.SIGTERM, nil, 0)
			if !gone(fd, webStopGrace) {
				_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
				if !gone(fd, webStopGrace) {
					return c.fail(agents.GenericError, "process %d cannot be killed", p.PID)
				}
			}
		}
	}
	if err := os.Remove(file); err != nil && !os.IsNotExist(err) {
		return c.fail(agents.GenericError, "%v", err)
	}
	return agents.OK
}

// gone waits for the end of a process.
func gone(fd int, within time.Duration) bool {
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(within.Milliseconds()))
		if !errors.Is(err, unix.EINTR) {
			return n == 1
		}
	}
}

func webMonitor(ctx context.Context, c *Call) agents.ExitCode {
	addr, err := c.webAddress()
	if err != nil {
		return c.fail(agents.NotConfigured, "%v", err)
	}
	p, _, err := c.webProcess()
	switch {
	case err != nil:
		return c.fail(agents.GenericError, "%v", err)
	case p.PID == 0:
		return agents.NotRunning
	}
	host, port, _ := net.SplitHostPort(addr)
	if host == "" || net.ParseIP(host).IsUnspecified() {
		host = "localhost"
	}
	ctx, cancel := context.WithTimeout(ctx, webAnswer)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, "http://"+net.JoinHostPort(host, port)+"/", nil)
	if err != nil {
		return c.fail(agents.GenericError, "%v", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return c.fail(agents.GenericError, "server does not answer: %v", err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode >= http.StatusInternalServerError {
		return c.fail(agents.GenericError, "server answers %s", resp.Status)
	}
	return agents.OK
}

// webServe is the server, in a process of its own, on the socket handed to it.
func webServe(ctx context.Context, c *Call) agents.ExitCode {
	lis, err := net.FileListener(os.NewFile(3, "listener"))
	if err != nil {
		return c.fail(agents.GenericError, "serve is for start to call: %v", err)
	}
	srv := &http.Server{Handler: webHandler(c), ReadHeaderTimeout: webAnswer}
	go func() {
		<-ctx.Done()
		_ = srv.Close()
	}()
	if err := srv.Serve(lis); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return c.fail(agents.GenericError, "%v", err)
	}
	return agents.OK
}

func webHandler(c *Call) http.Handler {
	if root := c.param("docroot", ""); root != "" {
		return http.FileServer(http.Dir(root))
	}
	node := c.param("CRM_meta_on_node", "")
	if node == "" {
		node, _ = os.Hostname()
	}
	text := c.param("text", "It works.")
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Node", strings.ReplaceAll(node, "\n", " "))
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, "<!DOCTYPE html><title>webdemo</title><p>"+html.EscapeString(text)+
			"</p><p>Served by node "+html.EscapeString(node)+".</p>\n")
	})
}
