// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package status

import (
	"strconv"
	"strings"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
)

// A Bundle is the content of a bundle resource.
type Bundle struct {
	Agent    string // docker or podman
	Image    string
	Child    *Resource // the clone that runs inside, or nil
	PerHost  int
	Replicas []*BundleReplica
}

// A BundleReplica is one copy of a bundle's container with what belongs to it.
type BundleReplica struct {
	Offset    int
	Address   string // of the IP resource, or empty
	Container *Resource
	IP        *Resource // or nil
	Remote    *Resource // the connection into the container, or nil
	Child     *Resource // the instance inside, or nil
	Node      *Node     // the guest node that the container is, or nil
	// Host is where the container is to run, as soon as the scheduler knows.
	Host *Node
}

// Where bundles find what the host shares with them.
const (
	remotePort    = "3121"
	remoteKey     = "/etc/pacemaker/authkey"
	bundleLogs    = "/var/log/pacemaker/bundles"
	remoteCommand = "/usr/sbin/pacemaker-remoted"
)

// Parts are the resources of a replica that exist.
func (rep *BundleReplica) Parts() []*Resource {
	var out []*Resource
	for _, r := range []*Resource{rep.IP, rep.Child, rep.Container, rep.Remote} {
		if r != nil {
			out = append(out, r)
		}
	}
	return out
}

// active judges a bundle by its first part, as the classic tools do.
func (b *Bundle) active(all bool) bool {
	for _, rep := range b.Replicas {
		for _, r := range rep.Parts() {
			if on := r.Active(all); on != all {
				return on
			}
		}
	}
	return all
}

// activeNode is the node that counts as the current one of a bundle.
func (b *Bundle) activeNode(r *Resource) (node *Node, all, clean int) {
	var used []*Resource
	for _, rep := range b.Replicas {
		if len(rep.Container.ActiveOn) > 0 {
			used = append(used, rep.Container)
		}
	}
	if len(used) == 1 {
		return used[0].ActiveNode()
	}
	seen := map[*Node]bool{}
	for _, k := range used {
		for _, n := range k.ActiveOn {
			if !seen[n] {
				seen[n] = true
				node, all, clean = r.countActive(n, node, all, clean)
			}
		}
	}
	return node, all, clean
}

// instanceOn gives the instance that runs inside the guest node.
func (b *Bundle) instanceOn(n *Node) *Resource {
	for _, rep := range b.Replicas {
		if rep.Node == n {
			return rep.Child
		}
	}
	return nil
}

// HasNode tells whether a replica of the bundle is the node.
func (b *Bundle) HasNode(n *Node) bool {
	for _, rep := range b.Replicas {
		if rep.Node == n && n != nil {
			return true
		}
	}
	return false
}

// replicaOf finds the replica whose connection the resource is.
func (r *Resource) replicaOf() *BundleReplica {
	if r.Parent == nil || r.Parent.Bundle == nil {
		return nil
	}
	for _, rep := range r.Parent.Bundle.Replicas {
		if rep.Remote == r {
			return rep
		}
	}
	return nil
}

// NeedsRemoteName tells whether the resource's address is known only after its
// container is assigned.
func (c *Cluster) NeedsRemoteName(r *Resource) bool {
	is := isConnection(r.XML)
	if !is && !r.paramsVary() {
		return false
	}
	// Rules are looked at even where the answer is known: when they change is
	// when the cluster has to be looked at again, as with Pacemaker.
	return strings.EqualFold(c.Params(r, nil)["addr"], "#uname") && is
}

// BundleAddress is the address of a connection into a container: the host's
// name. It is empty where that is not known, or the address is a fixed one.
func (c *Cluster) BundleAddress(r *Resource) string {
	if !c.NeedsRemoteName(r) {
		return ""
	}
	rep := r.replicaOf()
	if rep == nil {
		return ""
	}
	n := rep.Host
	if n == nil {
		n = rep.Container.CurrentNode()
	}
	if n == nil {
		return ""
	}
	return n.Name
}

// bundleSpec is the configuration of a bundle while it is unpacked.
type bundleSpec struct {
	c                 *Cluster
	r                 *Resource
	launch, network   *etree.Element
	replicas, perHost int
	promoted          int
	lastIP, hosts     string
	mounts, ports     [][3]string
	subdirs           map[int]bool // mounts with a directory for each replica
}

// unpackBundle makes the resources that a bundle stands for.
func (c *Cluster) unpackBundle(r *Resource) error {
	s := &bundleSpec{c: c, r: r, subdirs: map[int]bool{}}
	r.Bundle = &Bundle{}
	for _, agent := range []string{"docker", "podman"} {
		if s.launch = document.Child(r.XML, agent); s.launch != nil {
			r.Bundle.Agent = agent
			break
		}
	}
	if s.launch == nil {
		return errInvalid
	}
	s.promoted = min(minInt(document.Get(s.launch, "promoted-max"), 0, 0), maxInstances)
	if v, has := document.Lookup(s.launch, "replicas"); !has && s.promoted > 0 {
		s.replicas = s.promoted
	} else {
		s.replicas = min(minInt(v, 1, 1), maxInstances)
	}
	s.perHost = minInt(document.Get(s.launch, "replicas-per-host"), 1, 1)
	if s.perHost == 1 {
		r.Clear(Unique)
	}
	r.Bundle.Image = document.Get(s.launch, "image")
	s.network = document.Child(r.XML, "network")
	s.storage()
	s.portMappings()
	if err := s.inside(); err != nil {
		return err
	}
	r.Bundle.PerHost = s.perHost
	for _, rep := range r.Bundle.Replicas {
		if err := s.replica(rep); err != nil {
			return err
		}
	}
	if r.Bundle.Child != nil {
		r.Children = append(r.Children, r.Bundle.Child)
	}
	return nil
}

func (s *bundleSpec) storage() {
	for m := range document.Children(document.Child(s.r.XML, "storage"), "storage-mapping") {
		source, has := document.Lookup(m, "source-dir")
		if !has {
			if source, has = document.Lookup(m, "source-dir-root"); has {
				s.subdirs[len(s.mounts)] = true
			}
		}
		target, hasTarget := document.Lookup(m, "target-dir")
		if !has || !hasTarget {
			s.c.errorf("invalid mount directive %s", document.ID(m))
			continue
		}
		s.mounts = append(s.mounts, [3]string{source, target, document.Get(m, "options")})
	}
}

func (s *bundleSpec) portMappings() {
	for m := range document.Children(s.network, "port-mapping") {
		source, has := document.Lookup(m, "port")
		target := ""
		if has {
			target = document.Get(m, "internal-port")
		} else {
			source = document.Get(m, "range")
		}
		if source == "" {
			s.c.errorf("invalid port directive %s", document.ID(m))
			continue
		}
		if target == "" {
			target = source
		}
		s.ports = append(s.ports, [3]string{source, target})
	}
}

func (s *bundleSpec) rangeStart() (string, bool) { return document.Lookup(s.network, "ip-range-start") }

func (s *bundleSpec) controlPort() (string, bool) { return document.Lookup(s.network, "control-port") }

// validNetwork tells whether the cluster can reach what is inside.
func (s *bundleSpec) validNetwork() bool {
	if _, has := s.rangeStart(); has {
		return true
	}
	if _, has := s.controlPort(); has {
		if s.perHost > 1 {
			s.c.errorf("specifying the 'control-port' for %s requires 'replicas-per-host=1'", s.r.ID)
			s.perHost = 1
		}
		return true
	}
	return false
}

// inside makes the clone that runs within the containers, and the replicas.
func (s *bundleSpec) inside() error {
	b, prim := s.r.Bundle, document.Child(s.r.XML, "primitive")
	if prim == nil {
		for i := range s.replicas {
			b.Replicas = append(b.Replicas, &BundleReplica{Offset: i, Address: s.nextAddress(i)})
		}
		return nil
	}
	if !s.validNetwork() {
		s.c.errorf("cannot control %s inside %s without either ip-range-start or control-port", document.ID(prim), s.r.ID)
		return errInvalid
	}
	child, err := s.c.unpackResource(s.cloneXML(prim), s.r, "")
	if err != nil {
		return err
	}
	b.Child = child
	logs := true
	for _, m := range s.mounts {
		logs = logs && m[1] != "/var/log"
	}
	s.mounts = append(s.mounts, [3]string{remoteKey, remoteKey})
	if logs {
		s.subdirs[len(s.mounts)] = true
		s.mounts = append(s.mounts, [3]string{bundleLogs, "/var/log"})
	}
	s.ports = append(s.ports, [3]string{s.remotePort(), s.remotePort()})
	for i, k := range child.Children {
		k.Set(ExclusiveProbes)
		if k.Is(Notify) {
			child.Set(Notify)
		}
		b.Replicas = append(b.Replicas, &BundleReplica{Offset: i, Child: k, Address: s.nextAddress(i)})
		if v, has := k.Meta["container-attribute-target"]; has {
			s.r.Meta["container-attribute-target"] = v
			child.Meta["container-attribute-target"] = v
		}
	}
	return nil
}

func (s *bundleSpec) remotePort() string {
	if v, has := s.controlPort(); has {
		return v
	}
	return remotePort
}

// cloneXML is the configuration of the implied clone.
func (s *bundleSpec) cloneXML(prim *etree.Element) *etree.Element {
	suffix := "clone"
	if s.promoted > 0 {
		suffix = "master"
	}
	e := document.New("clone", "id", s.r.ID+"-"+suffix)
	m := document.Add(e, "meta_attributes", "id", s.r.ID+"-clone-meta")
	pair(m, "ordered", "true")
	pair(m, "clone-max", strconv.Itoa(s.replicas))
	pair(m, "clone-node-max", strconv.Itoa(s.perHost))
	pair(m, "globally-unique", strconv.FormatBool(s.perHost > 1))
	if s.promoted > 0 {
		pair(m, "promotable", "true")
		pair(m, "promoted-max", strconv.Itoa(s.promoted))
	}
	e.AddChild(document.Clone(prim))
	return e
}

// nextAddress gives the replicas addresses one after the other.
func (s *bundleSpec) nextAddress(offset int) string {
	start, has := s.rangeStart()
	if !has {
		return ""
	}
	if s.lastIP == "" {
		s.lastIP = start
	} else {
		s.lastIP = nextIP(s.lastIP)
	}
	name := s.r.ID + "-" + strconv.Itoa(offset)
	if v, has := document.Lookup(s.network, "add-host"); has {
		if on, ok := ParseBool(v); ok && !on {
			s.hosts += " --hosts-entry=" + s.lastIP + "=" + name
			return s.lastIP
		}
	}
	s.hosts += " --add-host=" + name + ":" + s.lastIP
	return s.lastIP
}

// nextIP counts an IPv4 address up.
func nextIP(ip string) string {
	parts := strings.Split(ip, ".")
	if len(parts) != 4 {
		return ""
	}
	third, err3 := strconv.Atoi(parts[2])
	last, err4 := strconv.Atoi(parts[3])
	switch {
	case err3 != nil || err4 != nil || third > 253:
		return ""
	case last > 253:
		third, last = third+1, 1
	default:
		last++
	}
	return parts[0] + "." + parts[1] + "." + strconv.Itoa(third) + "." + strconv.Itoa(last)
}
