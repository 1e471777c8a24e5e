// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package shipped

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	osexec "os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/agents"
)

func TestIPaddr2Lifecycle(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	for name, params := range map[string]map[string]string{
		"found":   {"ip": "192.0.2.10"},
		"told":    {"ip": "198.51.100.7", "nic": "eth0", "cidr_netmask": "24", "iflabel": "vip", "arp_interval": "10"},
		"six":     {"ip": "2001:db8::10", "nodad": "true"},
		"six dad": {"ip": "2001:db8::11"},
		"lo":      {"ip": "203.0.113.5", "nic": "lo", "cidr_netmask": "32", "arp_bg": "no"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newResource(t, shippedScript, "heartbeat", "IPaddr2", params)
			r.lifecycle()
			r.want("start", agents.OK)
			t.Logf("start took %v", r.took)
			r.want("stop", agents.OK)
		})
	}
}

func TestDebianIPaddr2Lifecycle(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	r := newResource(t, debianAgents, "heartbeat", "IPaddr2", map[string]string{"ip": "192.0.2.20", "nic": "eth0", "cidr_netmask": "24", "arp_interval": "1"})
	r.lifecycle()
	r.want("start", agents.OK)
	t.Logf("start took %v", r.took)
	r.want("stop", agents.OK)
}

func TestIPaddr2TakesThePrefixAndBroadcastOfTheNetwork(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	r := newResource(t, shippedScript, "heartbeat", "IPaddr2", map[string]string{"ip": "192.0.2.10", "iflabel": "vip"})
	r.want("start", agents.OK)
	link, err := netlink.LinkByName("eth0")
	if err != nil {
		t.Fatal(err)
	}
	list, err := netlink.AddrList(link, netlink.FAMILY_V4)
	if err != nil {
		t.Fatal(err)
	}
	last := list[len(list)-1]
	if last.IPNet.String() != "192.0.2.10/24" || last.Broadcast.String() != "192.0.2.255" || last.Label != "eth0:vip" {
		t.Errorf("%v broadcast %v label %q", last.IPNet, last.Broadcast, last.Label)
	}
	r.want("stop", agents.OK)
}

func TestIPaddr2RefusesWithReasons(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	for text, params := range map[string]map[string]string{
		"parameter ip is not set: give the address, such as 192.0.2.10":   {},
		`parameter ip: "300.1.1.1" is not an address`:                     {"ip": "300.1.1.1"},
		"parameter cidr_netmask: 33 is not from 0 to 32":                  {"ip": "192.0.2.9", "cidr_netmask": "33"},
		"no interface has a network with 203.0.113.77: set parameter nic": {"ip": "203.0.113.77"},
		"interface nope: Link not found":                                  {"ip": "192.0.2.9", "nic": "nope"},
		"parameter nic must be set for the link-local address fe80::7":    {"ip": "fe80::7"},
	} {
		r := newResource(t, shippedScript, "heartbeat", "IPaddr2", params)
		if rc := r.run("start", 0); rc != agents.NotConfigured || r.reason != text {
			t.Errorf("%v: %v, reason %q", params, rc, r.reason)
		}
	}
}

func TestIPaddr2FindsADuplicateAddress(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	peer, err := netlink.LinkByName("peer0")
	if err != nil {
		t.Fatal(err)
	}
	a, _ := netlink.ParseAddr("2001:db8::12/64")
	a.Flags |= unix.IFA_F_NODAD
	if err := netlink.AddrAdd(peer, a); err != nil {
		t.Fatal(err)
	}
	r := newResource(t, shippedScript, "heartbeat", "IPaddr2", map[string]string{"ip": "2001:db8::12", "nic": "eth0"})
	r.want("start", agents.GenericError)
	if r.reason != "another machine has 2001:db8::12: duplicate address detection failed" {
		t.Errorf("reason %q", r.reason)
	}
}

// listen opens a packet socket on the far end of the cable.
func listen(t *testing.T, proto uint16) int {
	t.Helper()
	peer, err := netlink.LinkByName("peer0")
	if err != nil {
		t.Fatal(err)
	}
	net := binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, proto))
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM, int(net))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: net, Ifindex: peer.Attrs().Index}); err != nil {
		t.Fatal(err)
	}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 10}); err != nil {
		t.Fatal(err)
	}
	return fd
}

func TestIPaddr2AnnouncesByARPUntilItIsGone(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	fd := listen(t, unix.ETH_P_ARP)
	r := newResource(t, shippedScript, "heartbeat", "IPaddr2", map[string]string{"ip": "192.0.2.10", "arp_count": "3", "arp_interval": "20"})
	r.want("start", agents.OK)
	eth0, _ := netlink.LinkByName("eth0")
	ip := netip.MustParseAddr("192.0.2.10")
	buf := make([]byte, 100)
	for i := range 6 { // three times, as request and as reply
		n, _, err := unix.Recvfrom(fd, buf, 0)
		if err != nil {
			t.Fatalf("packet %d: %v", i, err)
		}
		want := arpPacket(uint16(arpRequest+i%2), eth0.Attrs().HardwareAddr, ip)
		if !bytes.Equal(buf[:min(n, 28)], want) {
			t.Errorf("packet %d: % x, not % x", i, buf[:n], want)
		}
	}
	r.want("stop", agents.OK)
}

func TestIPaddr2AnnouncesByNeighbourAdvertisement(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	fd := listen(t, unix.ETH_P_IPV6)
	r := newResource(t, shippedScript, "heartbeat", "IPaddr2", map[string]string{"ip": "2001:db8::10", "nodad": "1", "arp_count": "1"})
	r.want("start", agents.OK)
	eth0, _ := netlink.LinkByName("eth0")
	want := advertisement(eth0.Attrs().HardwareAddr, netip.MustParseAddr("2001:db8::10"))
	buf := make([]byte, 1500)
	for {
		n, _, err := unix.Recvfrom(fd, buf, 0)
		if err != nil {
			t.Fatal("no advertisement: ", err)
		}
		if n < 72 || buf[6] != unix.IPPROTO_ICMPV6 || buf[40] != 136 || buf[44] != 0x20 {
			continue
		}
		if buf[7] != 255 || !bytes.Equal(buf[48:72], want[8:]) {
			t.Errorf("hop limit %d, % x", buf[7], buf[40:n])
		}
		return
	}
}

func TestFilesystemLifecycle(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	for _, dir := range []string{shippedScript, debianAgents} {
		source, target := t.TempDir(), filepath.Join(t.TempDir(), "mnt with blank")
		if dir == debianAgents {
			target = t.TempDir()
			provideModprobe(t)
		}
		for name, params := range map[string]map[string]string{
			"tmpfs": {"device": "tmpfs", "directory": target, "fstype": "tmpfs", "options": "size=1M"},
			"bind":  {"device": source, "directory": target + "/", "fstype": "none", "options": "bind"},
		} {
			t.Run(fmt.Sprintf("%s of %s", name, filepath.Base(filepath.Dir(dir))), func(t *testing.T) {
				r := newResource(t, dir, "heartbeat", "Filesystem", params)
				r.lifecycle()
			})
		}
	}
}

// provideModprobe stands in for a program that Debian's agent wants to find,
// where the machine has none.
func provideModprobe(t *testing.T) {
	t.Helper()
	if _, err := osexec.LookPath("modprobe"); err == nil {
		return
	}
	dir := t.TempDir()
	if err := os.Symlink("/bin/true", filepath.Join(dir, "modprobe")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

func TestFilesystemOnABlockDevice(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	image := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(image, make([]byte, 4<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := osexec.CommandContext(t.Context(), "mkfs.ext2", "-q", "-F", image).CombinedOutput(); err != nil {
		t.Skipf("no mkfs.ext2: %v: %s", err, out)
	}
	out, err := osexec.CommandContext(t.Context(), "losetup", "--show", "-f", image).Output()
	if err != nil {
		t.Skipf("no loop device: %v", err)
	}
	loop := string(bytes.TrimSpace(out))
	t.Cleanup(func() { _ = osexec.Command("losetup", "-d", loop).Run() })
	r := newResource(t, shippedScript, "heartbeat", "Filesystem", map[string]string{"device": loop, "directory": t.TempDir(), "fstype": "ext2", "OCF_CHECK_LEVEL": "20"})
	r.lifecycle()
}

func TestFilesystemStopEndsItsUsersAndUnmountsWhatIsInside(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	dir := t.TempDir()
	r := newResource(t, shippedScript, "heartbeat", "Filesystem", map[string]string{"device": "tmpfs", "directory": dir, "fstype": "tmpfs"})
	r.want("start", agents.OK)
	inner := filepath.Join(dir, "inner")
	if err := os.Mkdir(inner, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", inner, "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	user := osexec.CommandContext(t.Context(), "sh", "-c", "trap '' TERM; echo ready; sleep 1000")
	user.Dir = inner
	out, err := user.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := user.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 6)); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- user.Wait() }()
	r.want("stop", agents.OK)
	r.want("monitor", agents.NotRunning)
	select {
	case err := <-ended:
		if err == nil {
			t.Error("the user of the mount ended by itself")
		}
	case <-time.After(10 * time.Second):
		t.Error("the user of the mount lives")
	}
}

func TestFilesystemStopSparesOtherNamespaces(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	dir := t.TempDir()
	// A container with another folder of the same name.
	other := osexec.CommandContext(t.Context(), "unshare", "-m", "sh", "-c", "mount -t tmpfs other "+dir+" && cd "+dir+" && echo ready && exec sleep 1000")
	out, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 6)); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	mine := osexec.CommandContext(t.Context(), "sleep", "1000")
	mine.Dir = dir
	if err := mine.Start(); err != nil {
		t.Fatal(err)
	}
	if got := usersOf(dir, os.Getpid()); len(got) != 1 || got[0] != mine.Process.Pid {
		t.Errorf("users %v; mine is %d, the container's %d", got, mine.Process.Pid, other.Process.Pid)
	}
	_ = mine.Process.Kill()
	_ = mine.Wait()
	_ = other.Process.Kill()
	_ = other.Wait()
}

func FuzzParseMounts(f *testing.F) {
	f.Add("36 35 98:0 / /mnt\\040a rw,noatime master:1 - ext3 /dev/root rw\n")
	f.Fuzz(func(t *testing.T, s string) {
		for _, m := range parseMounts(s) {
			if m.fstype == "" || m.options == "" {
				t.Errorf("%+v of %q", m, s)
			}
		}
	})
}

func TestDebianNginxLifecycle(t *testing.T) {
	if _, err := osexec.LookPath("nginx"); err != nil {
		t.Skip("needs nginx")
	}
	if !inNamespace(t) {
		return
	}
	dir := t.TempDir()
	conf := filepath.Join(dir, "nginx.conf")
	text := "pid " + dir + "/pid;\nerror_log " + dir + "/error.log;\nevents {}\n" +
		"http { access_log off; server { listen 127.0.0.1:8099; location / { return 200 ok; } } }\n"
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	newResource(t, debianAgents, "heartbeat", "nginx", map[string]string{"configfile": conf, "port": "8099", "status10url": "http://127.0.0.1:8099/", "status10regex": "ok"}).lifecycle()
}

func TestFilesystemMonitorFailsOnAReadOnlyMount(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	r := newResource(t, shippedScript, "heartbeat", "Filesystem", map[string]string{"device": "tmpfs", "directory": t.TempDir(), "fstype": "tmpfs", "options": "ro", "OCF_CHECK_LEVEL": "20"})
	r.want("start", agents.OK)
	r.want("monitor", agents.GenericError)
	r.want("stop", agents.OK)
}

func TestPingCountsTheHostsThatAnswer(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	script := "#!/bin/sh\nprintf '%s\\n' \"$*\" >>" + log + "\n"
	if err := os.WriteFile(filepath.Join(dir, "attrd_updater"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	r := newResource(t, shippedScript, "pacemaker", "ping", map[string]string{
		"host_list": "127.0.0.1 ::1 192.0.2.99", "multiplier": "100", "attempts": "1", "timeout": "1", "name": "gw",
	})
	r.want("start", agents.OK)
	r.want("stop", agents.OK)
	b, err := os.ReadFile(log)
	if want := "-n gw -v 200 -d 5s\n-D -n gw -d 5s\n"; err != nil || string(b) != want {
		t.Errorf("attributes: %q, not %q: %v", b, want, err)
	}
}

func TestLastAddressOfANetwork(t *testing.T) {
	for in, want := range map[string]string{"192.0.2.10/24": "192.0.2.255", "192.0.2.10/29": "192.0.2.15", "192.0.2.10/31": "<nil>", "192.0.2.10/32": "<nil>"} {
		ip, n, err := net.ParseCIDR(in)
		if err = errors.Join(err); err != nil {
			t.Fatal(err)
		}
		n.IP = ip.To4()
		if got := lastOf(n).String(); got != want {
			t.Errorf("%s: %s, not %s", in, got, want)
		}
	}
}
