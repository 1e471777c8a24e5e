// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package node

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/quorate/quorate/internal/atomicfile"
	"github.com/quorate/quorate/messaging/conf"
	"github.com/quorate/quorate/messaging/engine"
	"github.com/quorate/quorate/messaging/qdevice"
	"github.com/quorate/quorate/messaging/qdevice/client"
	"github.com/quorate/quorate/messaging/qdevice/disk"
	"github.com/quorate/quorate/messaging/qdevice/disk/file"
	"github.com/quorate/quorate/messaging/qdevice/heuristics"
	"github.com/quorate/quorate/messaging/qnet"
	"github.com/quorate/quorate/messaging/qnet/cert"
	"github.com/quorate/quorate/messaging/quorum"
)

// DeviceName is what an arbitration device is called, as in corosync.
const DeviceName = "Qdevice"

// heartbeatShare is the part of quorum.device.timeout at which a client asks for
// heartbeats by default: with 10 s they come each second, and a node that died is
// known to the server after 3 s. (corosync asks every 8 s and waits 12.)
const heartbeatShare = 5

// arbitration fills in what the quorum section says about lease, tracking and
// device. dir is the state folder.
func arbitration(s Source, c *conf.Config, cfg *engine.Config, dir string) error {
	q := &c.Quorum
	cfg.Lease = q.Lease.Millis(0)
	if least := 3 * hold(cfg); cfg.Lease > 0 && cfg.Lease < least {
		return fmt.Errorf("conf: %s: quorum.lease is %s: at least %s are needed (three times the hold time), else it lapses on an idle ring", c.File, cfg.Lease, least.Round(time.Millisecond))
	}
	if cfg.Quorum.Tracking || cfg.Quorum.AllowDownscale {
		t := &trackFile{path: filepath.Join(dir, "ev_tracking")}
		votes, err := t.load()
		if err != nil {
			return err
		}
		cfg.Tracker, cfg.Quorum.Tracked = t, votes
	}
	d := &q.Device
	if d.Model == "" {
		return nil
	}
	cfg.Quorum.Device = quorum.Device{Name: DeviceName, Votes: c.DeviceVotes(), MasterWins: d.MasterWins}
	cfg.Device.Timeout = d.Timeout.Millis(conf.DefaultDeviceTimeout)
	cfg.Device.SyncTimeout = d.SyncTimeout.Millis(conf.DefaultDeviceSyncTimeout)
	cfg.Device.Key = fmt.Sprintf("%+v %v", *d, c.Nodes)
	checks, err := runner(s, &d.Heuristics)
	if err != nil {
		return err
	}
	switch d.Model {
	case conf.ModelNet:
		cfg.Device.Arbiter, err = netClient(s, c, cfg, checks)
	case conf.ModelDisk:
		cfg.Device.Arbiter, err = quorumDisk(s, c, cfg, checks)
	}
	return err
}

// quorumDisk makes the device of model disk.
func quorumDisk(s Source, c *conf.Config, cfg *engine.Config, checks *heuristics.Runner) (*file.Device, error) {
	d := &c.Quorum.Device
	var boot [8]byte
	if _, err := io.ReadFull(cfg.Rand, boot[:]); err != nil {
		return nil, fmt.Errorf("node: random number: %w", err)
	}
	core := disk.Config{
		Node: uint32(cfg.Self), Cluster: c.ClusterName, Boot: binary.LittleEndian.Uint64(boot[:]),
		Interval: d.Disk.Interval.Millis(disk.DefaultInterval), Misses: int(d.Disk.Misses.Or(disk.DefaultMisses)),
	}
	for _, n := range cfg.Nodes {
		core.Nodes = append(core.Nodes, uint32(n.ID))
	}
	if core.Failover() > cfg.Device.SyncTimeout {
		s.Log.Warn("the quorum disk decides later than a change of the membership waits: raise quorum.device.sync_timeout", "failover", core.Failover(), "sync_timeout", cfg.Device.SyncTimeout)
	}
	if d.Heuristics.Mode == "" || d.Heuristics.Mode == "off" || d.Heuristics.Mode == "no" || d.Heuristics.Mode == "0" {
		checks = &heuristics.Runner{Log: s.Log}
	}
	every := d.Heuristics.Interval.Millis(3 * cfg.Device.Timeout)
	return file.New(file.Config{
		Core: core, Path: s.Abs(d.Disk.Path), Timeout: cfg.Device.Timeout, Checks: checks, CheckEvery: every,
		CheckLimit: d.Heuristics.Timeout.Millis(cfg.Device.Timeout / 2), Clock: s.Clock, Log: s.Log,
	})
}

// hold is the time that an idle ring keeps the token.
func hold(cfg *engine.Config) time.Duration {
	if cfg.Totem.Hold > 0 {
		return cfg.Totem.Hold
	}
	share := float64(cfg.Totem.Token) / (float64(cfg.Totem.TokenRetransmitsBeforeLoss) + 0.2)
	return time.Duration(share*0.8) - 10*time.Millisecond
}

func runner(s Source, h *conf.Heuristics) (*heuristics.Runner, error) {
	r := &heuristics.Runner{Log: s.Log}
	for _, x := range h.Execs {
		c, err := heuristics.Exec(x.Name, x.Value)
		if err != nil {
			return nil, err
		}
		r.Checks = append(r.Checks, c)
	}
	for _, x := range h.Pings {
		c, err := heuristics.Ping(x.Name, x.Value)
		if err != nil {
			return nil, err
		}
		r.Checks = append(r.Checks, c)
	}
	return r, nil
}

func netClient(s Source, c *conf.Config, cfg *engine.Config, checks *heuristics.Runner) (*client.Client, error) {
	d := &c.Quorum.Device
	core := qdevice.Config{
		Node: uint32(cfg.Self), Cluster: c.ClusterName, Version: qnet.Opt[uint64]{Set: c.ConfigVersion > 0, Value: c.ConfigVersion},
		Algorithm: map[string]qnet.Algorithm{
			"": qnet.FFSplit, "ffsplit": qnet.FFSplit, "lms": qnet.LMS, "2nodelms": qnet.TwoNodeLMS, "test": qnet.Test,
		}[d.Net.Algorithm],
		TieBreaker: tieBreaker(d.Net.TieBreaker),
		KeepActive: d.Net.KeepActive != "off" && d.Net.KeepActive != "no" && d.Net.KeepActive != "0",
		TLS:        map[string]qnet.TLS{"": qnet.TLSSupported, "on": qnet.TLSSupported, "off": qnet.TLSUnsupported, "required": qnet.TLSRequired}[d.Net.TLS],
		Connect:    d.Net.ConnectTimeout.Millis(cfg.Device.Timeout * 8 / 10),
		Heartbeat:  d.Net.Heartbeat.Millis(max(cfg.Device.Timeout/heartbeatShare, qdevice.MinHeartbeat)),
		Checks: map[string]qdevice.Mode{
			"": qdevice.Off, "off": qdevice.Off, "no": qdevice.Off, "0": qdevice.Off, "sync": qdevice.Sync, "on": qdevice.On, "yes": qdevice.On, "1": qdevice.On,
		}[d.Heuristics.Mode],
		Interval: d.Heuristics.Interval.Millis(3 * cfg.Device.Timeout),
	}
	for _, n := range cfg.Nodes {
		core.Nodes = append(core.Nodes, uint32(n.ID))
	}
	dir := s.Abs(cert.NodeDir)
	return client.New(client.Config{
		Core: core, Addr: net.JoinHostPort(d.Net.Host, strconv.FormatUint(d.Net.Port.Or(qnet.DefaultPort), 10)),
		Network: map[string]string{"": "tcp", "0": "tcp", "4": "tcp4", "6": "tcp6"}[d.Net.ForceIP],
		TLS: func() (*tls.Config, error) {
			t, err := cert.LoadNode(dir)
			if err != nil {
				return nil, fmt.Errorf("%w (make them with corosync-qdevice-net-certutil, or set quorum.device.net.tls: off on a network that nobody else is on)", err)
			}
			return t, nil
		},
		Timeout: cfg.Device.Timeout, Checks: checks, CheckLimit: d.Heuristics.Timeout.Millis(cfg.Device.Timeout / 2),
		SyncCheckLimit: d.Heuristics.SyncTimeout.Millis(cfg.Device.SyncTimeout / 2), Clock: s.Clock, Log: s.Log,
	})
}

func tieBreaker(word string) qnet.TieBreaker {
	switch word {
	case "", "lowest":
		return qnet.TieBreaker{Mode: qnet.Lowest}
	case "highest":
		return qnet.TieBreaker{Mode: qnet.Highest}
	}
	id, _ := strconv.ParseUint(word, 10, 32) // the file's reader has checked it
	return qnet.TieBreaker{Mode: qnet.ByID, Node: uint32(id)}
}

// A trackFile keeps the highest expected votes as corosync does: four bytes.
type trackFile struct{ path string }

func (t *trackFile) load() (uint32, error) {
	b, err := os.ReadFile(t.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return 0, nil
	case err != nil:
		return 0, fmt.Errorf("node: read the expected votes of before: %w", err)
	case len(b) != 4:
		return 0, fmt.Errorf("node: %s has %d bytes instead of 4: delete it if the expected votes of the configuration are right", t.path, len(b))
	}
	return binary.LittleEndian.Uint32(b), nil
}

// Save replaces the file; the number is durable when it returns.
func (t *trackFile) Save(votes uint32) error {
	if err := atomicfile.WriteFile(t.path, binary.LittleEndian.AppendUint32(nil, votes), 0o600); err != nil {
		return fmt.Errorf("node: keep the expected votes: %w", err)
	}
	return nil
}
