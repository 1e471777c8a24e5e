// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Command qnetd is the arbitration server: it runs on a machine outside the
// clusters whose halves it decides between.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"github.com/quorate/quorate/internal/daemon"
	"github.com/quorate/quorate/internal/ipc"
	"github.com/quorate/quorate/messaging/qnet"
	"github.com/quorate/quorate/messaging/qnet/cert"
	"github.com/quorate/quorate/messaging/qnetd"
	"github.com/quorate/quorate/messaging/qnetd/serve"
)

func main() { daemon.Main("qnetd", setup) }

type options struct {
	four, six, debug bool
	listen, tls      string
	cert             string
	port, clients    int
}

func setup(fs *flag.FlagSet) func(ctx context.Context, env *daemon.Env) error {
	var o options
	fs.BoolVar(&o.four, "4", false, "listen on IPv4 only")
	fs.BoolVar(&o.six, "6", false, "listen on IPv6 only")
	fs.BoolVar(&o.debug, "d", false, "log more (as -log-level debug)")
	fs.Bool("f", true, "stay in the foreground (always the case)")
	fs.StringVar(&o.listen, "l", "", "`address` to listen on (default: all)")
	fs.IntVar(&o.port, "p", qnet.DefaultPort, "TCP `port`")
	fs.StringVar(&o.tls, "s", "on", "TLS: on, off, required")
	fs.StringVar(&o.cert, "c", "on", "client certificates are required: on, off")
	fs.IntVar(&o.clients, "m", 0, "most `clients` at a time (default 1024)")
	version := fs.Bool("v", false, "show the version and exit")
	return func(ctx context.Context, env *daemon.Env) error {
		if *version {
			fmt.Printf("Corosync Qdevice Network Daemon, version '3.0.3' (Quorate)\n\nSupported algorithms: Test (0), Fifty-Fifty split (1), 2 Node LMS (2), LMS (3)\n")
			return nil
		}
		return run(ctx, env, o)
	}
}

func run(ctx context.Context, env *daemon.Env, o options) error {
	cfg, err := o.config(env)
	if err != nil {
		return err
	}
	s, err := serve.New(cfg)
	if err != nil {
		return err
	}
	lis, err := net.Listen(o.network(), net.JoinHostPort(o.listen, strconv.Itoa(o.port)))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(env.Paths.Socket("qnetd")), 0o755); err != nil {
		return err
	}
	status, err := ipc.Listen(env.Paths.Socket("qnetd"))
	if err != nil {
		return err
	}
	env.Log.Info("serving", "addr", lis.Addr().String(), "tls", cfg.Core.TLS.String())
	env.SetHealth(s.Healthy)
	env.Ready()
	return s.Run(ctx, lis, status)
}

func (o *options) network() string {
	switch {
	case o.four:
		return "tcp4"
	case o.six:
		return "tcp6"
	}
	return "tcp"
}

func (o *options) config(env *daemon.Env) (serve.Config, error) {
	modes := map[string]qnet.TLS{"on": qnet.TLSSupported, "off": qnet.TLSUnsupported, "required": qnet.TLSRequired, "req": qnet.TLSRequired}
	mode, ok := modes[o.tls]
	if !ok || o.cert != "on" && o.cert != "off" {
		return serve.Config{}, fmt.Errorf("qnetd: -s takes on, off, required, not %q; -c takes on, off, not %q", o.tls, o.cert)
	}
	cfg := serve.Config{
		Core:  qnetd.Config{TLS: mode, CertRequired: o.cert == "on" && mode != qnet.TLSUnsupported, MaxClients: o.clients},
		Names: cert.Names, Clock: env.Clock, Log: env.Log,
	}
	if mode != qnet.TLSUnsupported {
		dir := env.Paths.Abs(cert.ServerDir)
		var err error
		if cfg.TLS, err = cert.LoadServer(dir, cfg.Core.CertRequired); err != nil {
			return cfg, fmt.Errorf("%w (make them with: corosync-qnetd-certutil -i)", err)
		}
	}
	if o.debug {
		env.Level.Set(-4)
	}
	return cfg, nil
}
