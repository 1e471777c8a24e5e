// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package cert

import (
	"crypto/tls"
	"encoding/pem"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func file(t *testing.T, elem ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// set goes through all steps: a server, a node that asks, a node that takes over.
func set(t *testing.T) (server, first, second string) {
	t.Helper()
	dir := t.TempDir()
	server, first, second = filepath.Join(dir, "server"), filepath.Join(dir, "one"), filepath.Join(dir, "two")
	step := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	step("server", InitServer(server, time.Now()))
	ca := file(t, server, CAFile)
	step("node", InitNode(first, append([]byte("Certificate:\n  Data: as certutil prints it\n"), ca...)))
	req, err := NewRequest(first, "debian")
	step("request", err)
	crt, err := Sign(server, "debian", file(t, req), time.Now())
	step("sign", err)
	bundle, err := Import(first, file(t, crt))
	step("import", err)
	step("second node", InitNode(second, ca))
	step("import bundle", ImportBundle(second, file(t, bundle)))
	return server, first, second
}

// shake makes a TLS connection and gives both sides' errors.
func shake(t *testing.T, server, client *tls.Config) (names []string, atServer, atClient error) {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lis.Close() }()
	ended := make(chan error, 1)
	go func() {
		raw, err := lis.Accept()
		if err != nil {
			ended <- err
			return
		}
		s := tls.Server(raw, server)
		defer func() { _ = s.Close() }()
		if err = s.HandshakeContext(t.Context()); err == nil {
			names = Names(s.ConnectionState())
			_, err = s.Write([]byte("x"))
		}
		ended <- err
	}()
	raw, err := net.Dial("tcp", lis.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c := tls.Client(raw, client)
	defer func() { _ = c.Close() }()
	atClient = c.HandshakeContext(t.Context())
	if atClient == nil {
		_, atClient = c.Read(make([]byte, 1))
	}
	atServer = <-ended
	return names, atServer, atClient
}

func TestBothNodesOfAClusterAreKnownByItsName(t *testing.T) {
	server, first, second := set(t)
	s, err := LoadServer(server, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{first, second} {
		c, err := LoadNode(dir)
		if err != nil {
			t.Fatal(err)
		}
		names, atServer, atClient := shake(t, s, c)
		if atServer != nil || atClient != nil || len(names) != 1 || names[0] != "debian" {
			t.Errorf("%v, %v, %v", names, atServer, atClient)
		}
	}
}

func TestStrangersAreRefused(t *testing.T) {
	server, first, _ := set(t)
	otherServer, otherNode, _ := set(t)
	s, _ := LoadServer(server, true)
	c, _ := LoadNode(first)
	foreign, _ := LoadNode(otherNode)
	evil, _ := LoadServer(otherServer, true)
	bare := c.Clone()
	bare.Certificates = nil
	posing := s.Clone()
	posing.Certificates = c.Certificates // a node's certificate in place of a server's
	for name, x := range map[string]struct{ s, c *tls.Config }{
		"client of another authority": {s, foreign},
		"server of another authority": {evil, c},
		"client without certificate":  {s, bare},
		"node posing as server":       {posing, c},
	} {
		if _, atServer, atClient := shake(t, x.s, x.c); atServer == nil || atClient == nil {
			t.Errorf("%s: accepted: %v, %v", name, atServer, atClient)
		}
	}
}

func TestStepsOutOfOrder(t *testing.T) {
	server, first, _ := set(t)
	empty := t.TempDir()
	junk := []byte("junk")
	_, noCA := NewRequest(empty, "c")
	_, noServer := Sign(empty, "c", nil, time.Now())
	_, badRequest := Sign(server, "debian", junk, time.Now())
	_, otherName := Sign(server, "ubuntu", file(t, first, Request), time.Now())
	_, badCert := Import(first, junk)
	_, wrongCert := Import(first, file(t, server, serverCert))
	for name, x := range map[string]struct{ got, want error }{
		"server twice":             {InitServer(server, time.Now()), ErrExists},
		"node twice":               {InitNode(first, file(t, server, CAFile)), ErrExists},
		"node with junk":           {InitNode(empty, junk), ErrUnusable},
		"request before authority": {noCA, ErrMissing},
		"bundle before authority":  {ImportBundle(empty, junk), ErrMissing},
		"sign before init":         {noServer, ErrMissing},
		"sign junk":                {badRequest, ErrUnusable},
		"sign for another name":    {otherName, ErrUnusable},
		"import junk":              {badCert, ErrUnusable},
		"import another's":         {wrongCert, ErrUnusable},
		"bundle of junk":           {ImportBundle(first, junk), ErrUnusable},
	} {
		if !errors.Is(x.got, x.want) {
			t.Errorf("%s: %v", name, x.got)
		}
	}
	if st, err := os.Stat(filepath.Join(first, nodeKey)); err != nil || st.Mode().Perm() != keyMode {
		t.Errorf("key: %v, %v", st, err)
	}
	if b, _ := pem.Decode(file(t, first, Request)); b != nil {
		t.Error("the request is PEM: corosync's server takes DER only")
	}
}
