// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package status

import (
	"strconv"
	"strings"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
)

// replica makes the resources of one replica of a bundle.
func (s *bundleSpec) replica(rep *BundleReplica) error {
	r := s.r
	add := func(e *etree.Element) (*Resource, error) {
		k, err := s.c.unpackResource(e, r, "")
		if err == nil {
			r.Children = append(r.Children, k)
		}
		return k, err
	}
	var err error
	if rep.Container, err = add(s.containerXML(rep)); err != nil {
		return err
	}
	rep.Container.Set(ReplicaContainer)
	if rep.Address != "" {
		if rep.IP, err = add(s.addressXML(rep)); err != nil {
			return err
		}
	}
	if rep.Child == nil {
		return nil
	}
	name := s.guestNode(rep)
	if rep.Remote, err = add(s.remoteXML(rep, name)); err != nil {
		return err
	}
	for _, n := range s.c.Nodes {
		if a := rep.Remote.Allowed.On(n); a != nil && n.Remote {
			a.Score = -Infinity
		}
	}
	rep.Node.Connection = rep.Remote
	rep.Node.Attrs["#kind"] = "container"
	rep.Remote.Launcher = rep.Container
	if rep.Address != "" {
		rep.Child.Meta["external-ip"] = rep.Address
	}
	rep.Container.Utilization, rep.Child.Utilization = rep.Child.Utilization, rep.Container.Utilization
	return nil
}

// guestNode makes the node that the container is, and places the instance on it
// alone.
func (s *bundleSpec) guestNode(rep *BundleReplica) (name string) {
	c := s.c
	name = s.r.ID + "-" + strconv.Itoa(rep.Offset)
	if c.FindResource(name, MatchHistory) != nil {
		name = "pcmk-internal-" + rep.Child.ID + "-remote-" + strconv.Itoa(rep.Offset)
	}
	n := c.FindNode(name)
	if n == nil {
		n = c.createNode(name, name, "remote", -Infinity)
	} else {
		n.Base = -Infinity
	}
	n.BaseProbe = ProbeNever
	for _, r := range c.Resources {
		r.disallow(n)
	}
	rep.Node = n
	rep.Child.Allowed = Places{}
	rep.Child.Allowed.put(n, Allowed{Score: 500, Probe: ProbeExclusive, Why: []Reason{{500, "the replica's container"}}})
	rep.Child.Parent.Allowed.put(n, Allowed{Score: -Infinity, Probe: ProbeExclusive, Why: []Reason{{-Infinity, "replicas are placed one by one"}}})
	return name
}

func (r *Resource) disallow(n *Node) {
	if a := r.Allowed.On(n); a != nil {
		a.Score, a.Probe = -Infinity, ProbeNever
	}
	for _, k := range r.Children {
		k.disallow(n)
	}
}

func (s *bundleSpec) remoteXML(rep *BundleReplica, name string) *etree.Element {
	e := document.New("primitive", "id", name, "class", "ocf", "provider", "pacemaker", "type", "remote")
	m := document.Add(e, "meta_attributes", "id", name+"-meta_attributes")
	pair(m, "internal_rsc", "true")
	pair(m, "container", rep.Container.ID)
	p := document.Add(e, "instance_attributes", "id", name+"-instance_attributes")
	addr := rep.Address
	if addr == "" {
		addr = "#uname"
	}
	pair(p, "addr", addr)
	pair(p, "port", s.remotePort())
	document.Add(document.Add(e, "operations"), "op", "id", name+"-monitor-30s", "interval", "30s", "name", "monitor", "timeout", "30s")
	return e
}

// agentXML is the configuration of one implied resource.
func (s *bundleSpec) agentXML(id, agent string, offset int) (e, params *etree.Element) {
	id = strings.NewReplacer(":", ".", "#", ".").Replace(id)
	e = document.New("primitive", "id", id, "class", "ocf", "provider", "heartbeat", "type", agent)
	params = document.Add(e, "instance_attributes", "id", s.r.ID+"-attributes-"+strconv.Itoa(offset))
	document.Add(document.Add(e, "operations"), "op", "id", id+"-monitor-60s", "interval", "60s", "name", "monitor")
	return e, params
}

func (s *bundleSpec) addressXML(rep *BundleReplica) *etree.Element {
	e, p := s.agentXML(s.r.ID+"-ip-"+rep.Address, "IPaddr2", rep.Offset)
	pair(p, "ip", rep.Address)
	if v, has := document.Lookup(s.network, "host-interface"); has {
		pair(p, "nic", v)
	}
	mask, has := document.Lookup(s.network, "host-netmask")
	if !has {
		mask = "32"
	}
	pair(p, "cidr_netmask", mask)
	return e
}

func (s *bundleSpec) containerXML(rep *BundleReplica) *etree.Element {
	agent := s.r.Bundle.Agent
	e, p := s.agentXML(s.r.ID+"-"+agent+"-"+strconv.Itoa(rep.Offset), agent, rep.Offset)
	if v, has := document.Lookup(s.launch, "image"); has {
		pair(p, "image", v)
	}
	pair(p, "allow_pull", "true")
	pair(p, "force_kill", "false")
	pair(p, "reuse", "false")
	options, dirs := s.runOptions(rep)
	pair(p, "run_opts", options)
	pair(p, "mount_points", strings.Join(dirs, ","))
	command, has := document.Lookup(s.launch, "run-command")
	if !has && rep.Child != nil {
		command, has = remoteCommand, true
	}
	if has {
		pair(p, "run_cmd", command)
	}
	pair(p, "monitor_cmd", "/bin/true")
	return e
}

// runOptions are the options of the container's launcher and the directories
// that have to exist.
func (s *bundleSpec) runOptions(rep *BundleReplica) (options string, dirs []string) {
	var b strings.Builder
	name := s.r.ID + "-" + strconv.Itoa(rep.Offset)
	if s.r.Bundle.Agent == "docker" {
		b.WriteString(" --restart=no")
	}
	if _, has := s.rangeStart(); has {
		b.WriteString(" -h " + name)
	}
	b.WriteString(" -e PCMK_stderr=1")
	network, hasNetwork := document.Lookup(s.launch, "network")
	if hasNetwork {
		b.WriteString(" --net=" + network)
	}
	b.WriteString(" -e PCMK_remote_port=" + s.remotePort())
	for i, m := range s.mounts {
		source := m[0]
		if s.subdirs[i] {
			source += "/" + name
			dirs = append(dirs, source)
		}
		b.WriteString(" -v " + source + ":" + m[1])
		if m[2] != "" {
			b.WriteString(":" + m[2])
		}
	}
	for _, p := range s.ports {
		switch {
		case rep.Address != "":
			b.WriteString(" -p " + rep.Address + ":" + p[0] + ":" + p[1])
		case network != "host":
			b.WriteString(" -p " + p[0] + ":" + p[1])
		}
	}
	if v, has := document.Lookup(s.launch, "options"); has {
		b.WriteString(" " + v)
	}
	b.WriteString(" " + s.hosts)
	return b.String(), dirs
}
