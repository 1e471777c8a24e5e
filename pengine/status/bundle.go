// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package status

// A Bundle is the content of a bundle resource.
type Bundle struct {
	Child    *Resource // the clone that runs inside, or nil
	Replicas []*BundleReplica
}

// A BundleReplica is one copy of a bundle's container with what belongs to it.
type BundleReplica struct {
	Offset    int
	Container *Resource
	IP        *Resource // or nil
	Remote    *Resource // the connection into the container, or nil
	Child     *Resource // the instance inside, or nil
	Node      *Node     // the guest node that the container is, or nil
}

func (b *Bundle) active(all bool) bool {
	for _, rep := range b.Replicas {
		for _, r := range []*Resource{rep.IP, rep.Container, rep.Remote, rep.Child} {
			if r == nil {
				continue
			}
			if on := r.Active(all); on && !all {
				return true
			} else if !on && all {
				return false
			}
		}
	}
	return all
}

func (b *Bundle) activeNode(r *Resource) (node *Node, all, clean int) {
	return nil, 0, 0
}

func (b *Bundle) find(id string, m Match) *Resource {
	if b.Child != nil {
		return b.Child.Find(id, m)
	}
	return nil
}

func (c *Cluster) unpackBundle(r *Resource) error {
	c.errorf("bundle %s: bundles are not supported yet", r.ID)
	return errInvalid
}

func (c *Cluster) bundleRemoteAddress(r *Resource) string { return "" }

// instanceOn gives the instance that runs inside the guest node.
func (b *Bundle) instanceOn(n *Node) *Resource {
	for _, rep := range b.Replicas {
		if rep.Node == n {
			return rep.Child
		}
	}
	return nil
}

// NeedsRemoteName tells whether the resource's address is known only after its
// container is assigned.
func (c *Cluster) NeedsRemoteName(r *Resource) bool { return false }
