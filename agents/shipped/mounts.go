// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package shipped

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A mount is a line of /proc/self/mountinfo.
type mount struct {
	dir, fstype, source string
	options             string
}

// mounts lists what is mounted, in order.
func mounts() ([]mount, error) {
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	return parseMounts(string(b)), nil
}

func parseMounts(text string) []mount {
	var list []mount
	for line := range strings.Lines(text) {
		before, after, ok := strings.Cut(strings.TrimSpace(line), " - ")
		f, g := strings.Fields(before), strings.Fields(after)
		if !ok || len(f) < 6 || len(g) < 2 {
			continue
		}
		list = append(list, mount{dir: unescape(f[4]), options: f[5], fstype: g[0], source: unescape(g[1])})
	}
	return list
}

// unescape takes the kernel's octal escapes (\\040 is a blank) away.
func unescape(s string) string {
	if !strings.Contains(s, "\\") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// at returns the topmost mount on dir.
func at(list []mount, dir string) (mount, bool) {
	for _, m := range slices.Backward(list) {
		if m.dir == dir {
			return m, true
		}
	}
	return mount{}, false
}

// below lists the mounts on dir and under it, the one to unmount first first.
func below(list []mount, dir string) []mount {
	var found []mount
	for _, m := range slices.Backward(list) {
		if m.dir == dir || strings.HasPrefix(m.dir, strings.TrimSuffix(dir, "/")+"/") {
			found = append(found, m)
		}
	}
	return found
}

// usersOf lists the processes that have a file or folder at or under dir open,
// mapped, or as their place. It goes by paths: by devices, a bind mount's users
// would be those of the whole file system. In another mount namespace (a
// container) the same path may be another folder, so that there the device must
// be the same as well.
func usersOf(dir string, self int) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	own, err := os.Readlink("/proc/self/ns/mnt")
	if err != nil {
		return nil
	}
	u := user{dir: dir, devices: devicesOf(dir)}
	spared := ancestors(self)
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid <= 1 || spared[pid] {
			continue
		}
		proc := filepath.Join("/proc", e.Name())
		ns, err := os.Readlink(filepath.Join(proc, "ns/mnt"))
		if err == nil && u.is(proc, ns == own) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// devicesOf are the numbers of the file systems mounted at and under dir.
func devicesOf(dir string) map[uint64]bool {
	devices := map[uint64]bool{}
	list, err := mounts()
	if err != nil {
		return devices
	}
	for _, m := range below(list, dir) {
		if dev, ok := device(m.dir); ok {
			devices[dev] = true
		}
	}
	return devices
}

// device is the number of the file system that path is on. It does not ask
// another machine that may be gone.
func device(path string) (uint64, bool) {
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, path, unix.AT_STATX_DONT_SYNC, unix.STATX_TYPE, &st); err != nil {
		return 0, false
	}
	return unix.Mkdev(st.Dev_major, st.Dev_minor), true
}

// ancestors are this process and those that wait for it.
func ancestors(pid int) map[int]bool {
	m := map[int]bool{}
	for range 64 {
		if pid <= 0 || m[pid] {
			break
		}
		m[pid] = true
		b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil {
			break
		}
		s := string(b)
		f := strings.Fields(s[strings.LastIndexByte(s, ')')+1:])
		if len(f) < 2 {
			break
		}
		pid, _ = strconv.Atoi(f[1])
	}
	return m
}

// A user is what makes a process one.
type user struct {
	dir     string
	devices map[uint64]bool
}

func (u user) under(path string) bool {
	return path == u.dir || strings.HasPrefix(path, u.dir+"/")
}

// is tells whether the process uses the mount.
func (u user) is(proc string, sameNamespace bool) bool {
	at := func(link string) bool {
		p, err := os.Readlink(link)
		if err != nil || !u.under(p) {
			return false
		}
		if sameNamespace {
			return true
		}
		dev, ok := device(link)
		return ok && u.devices[dev]
	}
	for _, l := range []string{"cwd", "root", "exe"} {
		if at(filepath.Join(proc, l)) {
			return true
		}
	}
	if fds, err := os.ReadDir(filepath.Join(proc, "fd")); err == nil {
		for _, fd := range fds {
			if at(filepath.Join(proc, "fd", fd.Name())) {
				return true
			}
		}
	}
	return sameNamespace && u.maps(proc)
}

// maps tells whether the process has a file of the mount mapped.
func (u user) maps(proc string) bool {
	b, err := os.ReadFile(filepath.Join(proc, "maps"))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(b)) {
		if i := strings.IndexByte(line, '/'); i >= 0 && u.under(strings.TrimSuffix(strings.TrimSpace(line[i:]), " (deleted)")) {
			return true
		}
	}
	return false
}
