// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package client

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/messaging/qnet"
	"github.com/quorate/quorate/messaging/qnet/cert"
)

// corosyncSite runs the server of corosync, with certificates of NSS, where both
// are installed.
func corosyncSite(t *testing.T) *site {
	t.Helper()
	for _, p := range []string{"corosync-qnetd", "certutil"} {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("%s is not installed", p)
		}
	}
	d := t.TempDir()
	db, ca := filepath.Join(d, "db"), filepath.Join(d, "ca.crt")
	s := &site{t: t, node: filepath.Join(d, "node")}
	script := `set -e; mkdir db; echo > pw; head -c 100 /dev/urandom > noise
certutil -N -d db -f pw
printf 'y\n0\ny\n' | certutil -S -n 'QNet CA' -s 'CN=QNet CA' -x -t CT,, -m 101 -v 1200 -d db -z noise -f pw -2 >/dev/null 2>&1
certutil -S -n 'QNetd Cert' -s 'CN=Qnetd Server' -c 'QNet CA' -t u,u,u -m 102 -v 1200 -d db -z noise -f pw
certutil -L -d db -n 'QNet CA' > ca.crt; certutil -L -d db -n 'QNet CA' -a >> ca.crt`
	run := func(script string) {
		t.Helper()
		cmd := exec.Command("sh", "-c", script)
		cmd.Dir = d
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	read := func(path string) []byte {
		t.Helper()
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	run(script)
	if err := cert.InitNode(s.node, read(ca)); err != nil {
		t.Fatal(err)
	}
	req, err := cert.NewRequest(s.node, "lab")
	if err != nil {
		t.Fatal(err)
	}
	run("certutil -C -v 1200 -m 103 -i " + req + " -o cluster.crt -c 'QNet CA' -d db -f pw")
	if _, err := cert.Import(s.node, read(filepath.Join(d, "cluster.crt"))); err != nil {
		t.Fatal(err)
	}
	// A port that is free now; the server cannot be asked which it took.
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = lis.Addr().String()
	_, port, _ := net.SplitHostPort(s.addr)
	_ = lis.Close()
	cmd := exec.Command("corosync-qnetd", "-f", "-d", "-l", "127.0.0.1", "-p", port, "-s", "req",
		"-S", "nss_db_dir="+db+",lock_file="+filepath.Join(d, "lock")+",local_socket_file="+filepath.Join(d, "sock"))
	var log strings.Builder
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	return s
}

// Many a cluster's third site has a server of corosync.
func TestTheServerOfCorosyncDecidesToo(t *testing.T) {
	s := corosyncSite(t)
	l := s.lab(2, qnet.FFSplit, 1, false)
	awaitVotes(t, l, 3)
	cut(l)
	l.Await(2, false, 2)
	l.Await(1, true, 1)
	l.Hub.SetDrop(nil)
	l.Await(1, true, 1, 2)
	awaitVotes(t, l, 3)
	begin := time.Now()
	l.Kill(1)
	l.Await(2, true, 2)
	t.Logf("the survivor goes on after %v", time.Since(begin).Round(time.Millisecond))
}

func TestTheServerOfCorosyncKeepsTheLastMan(t *testing.T) {
	s := corosyncSite(t)
	l := s.lab(3, qnet.LMS, 2, false)
	awaitVotes(t, l, 5)
	l.Stop(1)
	l.Await(3, true, 2, 3)
	awaitVotes(t, l, 4)
	l.Stop(2)
	l.Await(3, true, 3)
}
