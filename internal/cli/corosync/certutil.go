// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package corosync

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/cli"
	"github.com/quorate/quorate/messaging/qnet/cert"
)

const qnetdCertutilUsage = `corosync-qnetd-certutil: [-i|-s] [-c certificate] [-G] [-n cluster_name]

 -i                  Initialize QNetd CA and generate server certificate
 -s                  Sign cluster certificate (needs cluster certificate)
 -c certificate      CRQ certificate file name
 -G                  Do not set group write bit for new files
 -n cluster_name     Name of cluster (for -s operation)
`

const deviceCertutilUsage = `corosync-qdevice-net-certutil: [-i|-m|-M|-r|-s|-Q] [-c certificate] [-S ssh_command] [-C scp_command] [-n cluster_name]

 -i      Initialize node CA. Needs CA certificate from server
 -m      Import cluster certificate on node (needs the bundle of -M)
 -r      Generate cluster certificate request
 -M      Import signed cluster certificate and export certificate with key to a bundle
 -Q      Quick start. Uses ssh/scp to initialize both qnetd and nodes.

 -c certificate      Either CA, CRQ, CRT or bundle (operation dependent)
 -S ssh_command      Alternative remote shell command to be used in place of ssh
 -C scp_command      Alternative remote copy command to be used in place of scp
 -n cluster_name     Name of cluster (for -r and -Q operations)

Typical usage:
- Initialize database on QNetd server by running corosync-qnetd-certutil -i
- Copy exported QNetd CA certificate (/etc/corosync/qnetd/nssdb/qnetd-cacert.crt) to every node
- On one node: corosync-qdevice-net-certutil -i -c qnetd-cacert.crt
- Generate certificate request: corosync-qdevice-net-certutil -r -n Cluster (name must match cluster_name of corosync.conf)
- Copy exported CRQ to QNetd server
- On QNetd server: corosync-qnetd-certutil -s -c qdevice-net-node.crq -n Cluster
- Copy exported CRT to the node of the request
- There: corosync-qdevice-net-certutil -M -c cluster-Cluster.crt
- Copy output qdevice-net-node.p12 to all other cluster nodes
- On each of them: corosync-qdevice-net-certutil -i -c qnetd-cacert.crt and corosync-qdevice-net-certutil -m -c qdevice-net-node.p12

Quick start: corosync-qdevice-net-certutil -Q [-S ssh_command] [-C scp_command] -n Cluster qnetd_server node1 node2 ... nodeN
`

// A certutil is one run of either tool.
type certutil struct {
	io        *cli.IO
	operation string
	file      string
	cluster   string
	shell     string
	copier    string
	operands  []string
}

func parseCertutil(io *cli.IO, tool, spec string, args []string) (*certutil, error) {
	opts, operands, err := getopt(tool, args, spec, nil)
	if err != nil {
		return nil, err
	}
	c := &certutil{io: io, shell: "ssh", copier: "scp", operands: operands}
	for _, o := range opts {
		switch o.name {
		case "c":
			c.file = o.arg
		case "n":
			c.cluster = o.arg
		case "S":
			c.shell = o.arg
		case "C":
			c.copier = o.arg
		case "G":
		default:
			c.operation = o.name
		}
	}
	return c, nil
}

// exitBadFile is the tools' code for a file or name that is missing.
const exitBadFile = 2

func (c *certutil) read() ([]byte, bool) {
	b, err := os.ReadFile(c.file)
	if err != nil {
		c.io.Errorf("Can't open certificate file %s\n", c.file)
	}
	return b, err == nil
}

// named tells whether the cluster's name was given.
func (c *certutil) named() bool {
	if c.cluster == "" {
		c.io.Errorf("You have to specify cluster name\n")
	}
	if strings.ContainsAny(c.cluster, "'/") {
		c.io.Errorf("A cluster name with ' or / cannot be used\n")
		return false
	}
	return c.cluster != ""
}

func (c *certutil) done(err error) int {
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, cert.ErrExists):
		c.io.Errorf("Certificate database already exists. Delete it to continue (%s)\n", err)
	case errors.Is(err, cert.ErrMissing):
		c.io.Errorf("Certificate database doesn't exists. Use %s -i to create it (%s)\n", c.io.Tool, err)
	default:
		c.io.Errorf("%s\n", err)
	}
	return exitError
}

func runQnetdCertutil(_ context.Context, io *cli.IO, args []string) int {
	c, err := parseCertutil(io, "corosync-qnetd-certutil", "Ghisc:n:", args)
	if err != nil {
		io.Errorf("%s\n", err)
		return exitError
	}
	dir := io.Paths.Abs(cert.ServerDir)
	switch c.operation {
	case "i":
		err := cert.InitServer(dir, time.Now())
		if err == nil {
			io.Printf("Creating new CA\nQNetd CA certificate is exported as %s\n", filepath.Join(dir, cert.CAFile))
		}
		return c.done(err)
	case "s":
		request, ok := c.read()
		if !ok || !c.named() {
			return exitBadFile
		}
		io.Printf("Signing cluster certificate\n")
		path, err := cert.Sign(dir, c.cluster, request, time.Now())
		if err == nil {
			io.Printf("Certificate stored in %s\n", path)
		}
		return c.done(err)
	}
	io.Printf("%s", qnetdCertutilUsage)
	return exitOK
}

func runDeviceCertutil(ctx context.Context, io *cli.IO, args []string) int {
	c, err := parseCertutil(io, "corosync-qdevice-net-certutil", "hiMmQrc:S:C:n:", args)
	if err != nil {
		io.Errorf("%s\n", err)
		return exitError
	}
	dir := io.Paths.Abs(cert.NodeDir)
	switch c.operation {
	case "i", "m", "M":
		b, ok := c.read()
		if !ok {
			return exitBadFile
		}
		return c.take(dir, b)
	case "r":
		if !c.named() {
			return exitBadFile
		}
		io.Printf("Creating new certificate request\n")
		path, err := cert.NewRequest(dir, c.cluster)
		if err == nil {
			io.Printf("Certificate request stored in %s\n", path)
		}
		return c.done(err)
	case "Q":
		if !c.named() {
			return exitBadFile
		}
		if len(c.operands) < 2 {
			io.Errorf("No QNetd server address or no nodes provided.\n")
			return exitBadFile
		}
		return c.done(c.quick(ctx))
	}
	io.Printf("%s", deviceCertutilUsage)
	return exitOK
}

// take imports a file on a node.
func (c *certutil) take(dir string, b []byte) int {
	switch c.operation {
	case "i":
		c.io.Printf("Importing CA\n")
		return c.done(cert.InitNode(dir, b))
	case "m":
		c.io.Printf("Importing cluster certificate and key\n")
		return c.done(cert.ImportBundle(dir, b))
	}
	c.io.Printf("Importing signed cluster certificate\n")
	path, err := cert.Import(dir, b)
	if err == nil {
		c.io.Printf("Certificate stored in %s\n", path)
	}
	return c.done(err)
}

// quick goes through all steps over a remote shell.
func (c *certutil) quick(ctx context.Context) error {
	server, first, others := c.operands[0], c.operands[1], c.operands[2:]
	const tool, serverTool = "corosync-qdevice-net-certutil", "corosync-qnetd-certutil"
	tmp, err := os.MkdirTemp("", "certutil")
	if err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	remote := func(host, line string) error { return c.run(ctx, c.shell, "root@"+host, line) }
	// By way of this machine: two others may have no trust in each other.
	carry := func(fromHost, from, toHost, to string) error {
		here := filepath.Join(tmp, filepath.Base(from))
		return errors.Join(c.run(ctx, c.copier, "root@"+fromHost+":"+from, here), c.run(ctx, c.copier, here, "root@"+toHost+":"+to))
	}
	var steps []func() error
	add := func(f func() error) { steps = append(steps, f) }
	add(func() error {
		return remote(server, fmt.Sprintf("test -e %s/%s || %s -i", cert.ServerDir, cert.CAFile, serverTool))
	})
	for _, node := range append([]string{first}, others...) {
		add(func() error { return carry(server, cert.ServerDir+"/"+cert.CAFile, node, "/tmp/"+cert.CAFile) })
		add(func() error {
			return remote(node, fmt.Sprintf("%s -i -c /tmp/%s && rm /tmp/%s", tool, cert.CAFile, cert.CAFile))
		})
	}
	crt := "cluster-" + filepath.Base(c.cluster) + ".crt"
	add(func() error { return remote(first, fmt.Sprintf("%s -r -n '%s'", tool, c.cluster)) })
	add(func() error { return carry(first, cert.NodeDir+"/"+cert.Request, server, "/tmp/"+cert.Request) })
	add(func() error {
		return remote(server, fmt.Sprintf("%s -s -c /tmp/%s -n '%s' && rm /tmp/%s", serverTool, cert.Request, c.cluster, cert.Request))
	})
	add(func() error { return carry(server, cert.ServerDir+"/"+crt, first, cert.NodeDir+"/"+crt) })
	add(func() error { return remote(first, fmt.Sprintf("%s -M -c '%s/%s'", tool, cert.NodeDir, crt)) })
	for _, node := range others {
		add(func() error { return carry(first, cert.NodeDir+"/"+cert.Bundle, node, cert.NodeDir+"/"+cert.Bundle) })
		add(func() error { return remote(node, fmt.Sprintf("%s -m -c %s/%s", tool, cert.NodeDir, cert.Bundle)) })
	}
	for _, s := range steps {
		if err := s(); err != nil {
			return err
		}
	}
	return nil
}

func (c *certutil) run(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = c.io.Stdout, c.io.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", cmd.String(), err)
	}
	return nil
}
