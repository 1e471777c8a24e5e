// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package shipped

import (
	"context"
	"errors"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/quorate/quorate/agents"
)

// Filesystem mounts a file system.
func filesystemActions() map[string]action {
	return map[string]action{
		"start": filesystemStart, "stop": filesystemStop, "monitor": filesystemMonitor, "status": filesystemMonitor,
		"validate-all": filesystemValidate, "notify": statefulNotify,
	}
}

// A filesystem is what the parameters ask for.
type filesystem struct {
	device, dir, fstype, options string
}

func (c *Call) filesystem() (filesystem, agents.ExitCode) {
	f := filesystem{
		device: c.param("device", ""), dir: strings.TrimRight(c.param("directory", ""), "/"),
		fstype: c.param("fstype", ""), options: c.param("options", ""),
	}
	switch {
	case f.device == "":
		return f, c.fail(agents.NotConfigured, "parameter device is not set: give the block device, share or folder to mount")
	case f.dir == "" || !filepath.IsAbs(f.dir):
		return f, c.fail(agents.NotConfigured, "parameter directory: %q is not an absolute path of a mount point", c.param("directory", ""))
	case f.fstype == "" && !f.bind():
		return f, c.fail(agents.NotConfigured, "parameter fstype is not set: give ext4, xfs, tmpfs, nfs, …")
	}
	// The kernel knows mount points by their real names.
	if real, err := filepath.EvalSymlinks(f.dir); err == nil {
		f.dir = real
	}
	if f.dir == "/" {
		return f, c.fail(agents.NotConfigured, "parameter directory: / cannot be a resource")
	}
	return f, agents.OK
}

func (f filesystem) bind() bool {
	for o := range strings.SplitSeq(f.options, ",") {
		if o == "bind" || o == "rbind" || o == "--bind" || o == "--rbind" {
			return true
		}
	}
	return f.fstype == "bind"
}

// network tells that the file system is another machine's.
func (f filesystem) network() bool {
	switch strings.TrimPrefix(f.fstype, "fuse.") {
	case "nfs", "nfs4", "cifs", "smbfs", "smb3", "glusterfs", "ceph", "aznfs", "efs":
		return true
	}
	return false
}

// local tells that the device is a name and no file.
func (f filesystem) virtual() bool {
	switch f.fstype {
	case "tmpfs", "overlay", "overlayfs", "none", "proc", "sysfs", "zfs", "lustre":
		return true
	}
	return f.network() || strings.Contains(f.device, "=") // LABEL=, UUID=
}

func filesystemValidate(_ context.Context, c *Call) agents.ExitCode {
	f, rc := c.filesystem()
	if rc != agents.OK {
		return rc
	}
	if f.virtual() && !f.bind() {
		return agents.OK
	}
	if _, err := os.Stat(f.device); err != nil {
		return c.fail(agents.NotInstalled, "parameter device: %v", err)
	}
	return agents.OK
}

func filesystemStart(ctx context.Context, c *Call) agents.ExitCode {
	f, rc := c.filesystem()
	if rc != agents.OK {
		return rc
	}
	list, err := mounts()
	if err != nil {
		return c.fail(agents.GenericError, "%v", err)
	}
	if _, mounted := at(list, f.dir); mounted {
		return agents.OK
	}
	if rc := filesystemValidate(ctx, c); rc != agents.OK {
		return rc
	}
	if err := os.MkdirAll(f.dir, 0o755); err != nil {
		return c.fail(agents.NotInstalled, "mount point: %v", err)
	}
	if rc := c.check(ctx, f); rc != agents.OK {
		return rc
	}
	if out, err := command(ctx, "mount", f.mountArgs()...); err != nil {
		return c.fail(agents.GenericError, "mount %s on %s: %s", f.device, f.dir, words(out, err))
	}
	return agents.OK
}

func (f filesystem) mountArgs() []string {
	opts := f.options
	var args []string
	switch {
	case f.fstype == "bind":
		opts = strings.Trim("bind,"+opts, ",")
	case f.fstype != "" && f.fstype != "none":
		args = append(args, "-t", f.fstype)
	}
	var keep []string
	for o := range strings.SplitSeq(opts, ",") {
		if o = strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(o), "-o "), "--"); o != "" {
			keep = append(keep, o)
		}
	}
	if len(keep) > 0 {
		args = append(args, "-o", strings.Join(keep, ","))
	}
	return append(args, "--", f.device, f.dir)
}

// check runs fsck where the administrator wants it, or by default where the file
// system has no journal.
func (c *Call) check(ctx context.Context, f filesystem) agents.ExitCode {
	switch c.param("run_fsck", "auto") {
	case "no", "false", "0":
		return agents.OK
	case "auto", "":
		if f.fstype != "ext2" && f.fstype != "minix" {
			return agents.OK
		}
	}
	if f.virtual() || f.bind() {
		return agents.OK
	}
	out, err := command(ctx, "fsck", "-t", f.fstype, "-a", f.device)
	var exit *osexec.ExitError
	const uncorrected = 4 // and above; 1 and 2 say that errors were corrected
	if errors.As(err, &exit) && exit.ExitCode() < uncorrected {
		err = nil
	}
	if err != nil {
		return c.fail(agents.GenericError, "fsck of %s: %s", f.device, words(out, err))
	}
	return agents.OK
}

func command(ctx context.Context, name string, args ...string) (string, error) {
	out, err := osexec.CommandContext(ctx, name, args...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// words is what a program said, in one line, or else how it ended.
func words(out string, err error) string {
	if out == "" {
		return err.Error()
	}
	return strings.ReplaceAll(out, "\n", "; ")
}

func filesystemMonitor(_ context.Context, c *Call) agents.ExitCode {
	f, rc := c.filesystem()
	if rc != agents.OK {
		return rc
	}
	list, err := mounts()
	if err != nil {
		return c.fail(agents.GenericError, "%v", err)
	}
	if _, mounted := at(list, f.dir); !mounted {
		return agents.NotRunning
	}
	level := c.Getenv("OCF_CHECK_LEVEL")
	if level == "10" || level == "20" {
		if _, err := os.ReadDir(f.dir); err != nil {
			return c.fail(agents.GenericError, "read of %s: %v", f.dir, err)
		}
	}
	if level == "20" {
		return c.writeTest(f)
	}
	return agents.OK
}

func (c *Call) writeTest(f filesystem) agents.ExitCode {
	prefix := c.param("statusfile_prefix", ".Filesystem_status/")
	path := filepath.Join(f.dir, prefix+strings.ReplaceAll(c.instance(), "/", "_"))
	text := []byte(time.Now().UTC().Format(time.RFC3339Nano))
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, text, 0o600)
	}
	var back []byte
	if err == nil {
		back, err = os.ReadFile(path)
	}
	if err == nil && !slices.Equal(back, text) {
		err = fmt.Errorf("%s does not hold what was written", path)
	}
	if err != nil {
		return c.fail(agents.GenericError, "write to %s: %v", f.dir, err)
	}
	return agents.OK
}

// What stop does about users of the mount: ask each round, then kill.
const (
	termRounds  = 3
	killRounds  = 3
	roundLength = time.Second
	retryEvery  = 50 * time.Millisecond
)

func filesystemStop(ctx context.Context, c *Call) agents.ExitCode {
	f, rc := c.filesystem()
	if rc != agents.OK {
		return rc
	}
	for round := range 1 + termRounds + killRounds {
		out, left, err := c.unmountAll(ctx, f)
		if err != nil {
			return c.fail(agents.GenericError, "%v", err)
		}
		if left == "" {
			return agents.OK
		}
		c.reason("unmount of %s: %s", left, out)
		if !c.evict(ctx, f, round) {
			break
		}
	}
	if _, left, err := c.unmountAll(ctx, f); err == nil && left == "" {
		return agents.OK
	}
	return agents.GenericError
}

// unmountAll unmounts everything at and under the mount point; left is the first
// that could not be, out what umount said of it.
func (c *Call) unmountAll(ctx context.Context, f filesystem) (out, left string, err error) {
	list, err := mounts()
	if err != nil {
		return "", "", err
	}
	for _, m := range below(list, f.dir) {
		args := []string{"--", m.dir}
		if f.network() {
			args = append([]string{"-f"}, args...)
		}
		if out, err := command(ctx, "umount", args...); err != nil {
			return words(out, err), m.dir, nil
		}
	}
	return "", "", nil
}

// evict makes users of the mount leave, and returns when there are none or the
// round is over. It tells whether another attempt makes sense.
func (c *Call) evict(ctx context.Context, f filesystem, round int) bool {
	if strings.EqualFold(c.param("force_unmount", "true"), "false") || c.param("force_unmount", "") == "no" {
		return false
	}
	sig := syscall.SIGTERM
	if round >= termRounds {
		sig = syscall.SIGKILL
	}
	users := usersOf(f.dir, os.Getpid())
	for _, pid := range users {
		c.log("sending %s to process %d, which uses %s", sig, pid, f.dir)
		_ = syscall.Kill(pid, sig)
	}
	over := time.NewTimer(roundLength)
	defer over.Stop()
	tick := time.NewTicker(retryEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-over.C:
			return true
		case <-tick.C:
			if len(users) > 0 && len(usersOf(f.dir, os.Getpid())) == 0 {
				return true
			}
		}
	}
}
