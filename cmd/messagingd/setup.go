// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/quorate/quorate/internal/daemon"
	"github.com/quorate/quorate/messaging/conf"
	"github.com/quorate/quorate/messaging/engine"
	"github.com/quorate/quorate/messaging/node"
)

// A setting turns this machine's files into the engine's configuration, at the
// start and at each reload.
type setting struct {
	source  node.Source
	classic *node.ClassicLog
	log     *slog.Logger
	level   *slog.LevelVar
	started slog.Level // what the command line asked for
	urgency conf.Urgency
}

// logging does what the logging section says.
func (s *setting) logging(l conf.Logging) {
	level := s.started
	if l.Debug {
		level = min(level, slog.LevelDebug)
	}
	s.level.Set(level)
	if err := s.classic.Configure(l, s.source.Abs); err != nil {
		s.log.Warn("log file not written", "error", err)
	}
}

func newSetup(ctx context.Context, env *daemon.Env, file, name string) (*setting, error) {
	hostnameFile := ""
	if env.Paths.Root != "" {
		hostnameFile = env.Paths.Abs("/etc/hostname")
	}
	m, err := node.ThisMachine(ctx, hostnameFile, name)
	if err != nil {
		return nil, err
	}
	if file == "" {
		file = env.Paths.CorosyncConf()
	}
	s := &setting{classic: node.NewClassicLog(env.Log, env.Clock.Wall, m.Hostname), log: env.Log, level: env.Level, started: env.Level.Level()}
	s.source = node.Source{
		ConfPath: file, KeyPath: env.Paths.Authkey(), StateDir: env.Paths.StateDir(), Abs: env.Paths.Abs,
		Machine: m, Clock: env.Clock, Log: env.Log, Announce: s.classic.Write, Logging: s.logging,
		Refresh: func(ctx context.Context) (conf.Machine, error) { return node.ThisMachine(ctx, hostnameFile, name) },
	}
	return s, nil
}

func (s *setting) build() (engine.Config, error) {
	c, err := node.Load(s.source)
	if err != nil {
		return engine.Config{}, err
	}
	if s.urgency, err = conf.ReadUrgency(c.SchedRR, c.Priority); err != nil {
		return engine.Config{}, err
	}
	s.logging(c.Logging)
	s.classic.Write(engine.Announcement{Level: "notice", Subsys: "MAIN", Text: fmt.Sprintf("Corosync Cluster Engine %s starting up", node.Version)})
	s.classic.Write(engine.Announcement{Level: "info", Subsys: "MAIN", Text: "Corosync built-in features: successfully read main configuration file '" + c.File + "'."})
	cfg, err := node.Build(s.source, c)
	if err != nil {
		return cfg, err
	}
	s.classic.Write(engine.Announcement{Level: "notice", Subsys: "TOTEM", Text: "Initializing transport (" + transportText(c.Transport) + ")."})
	for _, l := range cfg.Links {
		s.classic.Write(engine.Announcement{Level: "notice", Subsys: "TOTEM", Text: fmt.Sprintf("The network interface [%s] is now up.", l.Local)})
	}
	cfg.Read = node.NewReader(s.source, c, &cfg).Read
	cfg.ReopenLogs = s.classic.Reopen
	return cfg, nil
}

func transportText(t conf.Transport) string {
	switch t {
	case conf.UDP:
		return "UDP/IP Multicast"
	case conf.UDPU:
		return "UDP/IP Unicast"
	}
	return "Kronosnet"
}
