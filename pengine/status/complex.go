// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package status

import (
	"errors"
	"strconv"
	"strings"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/cib/rule"
	"github.com/quorate/quorate/internal/iso8601"
)

// capability is what an agent class can do.
type capability int

const (
	capProvider capability = 1 << iota
	capParams
	capUnique
	capPromotable
	capFenceParams
)

func hasCap(class string, c capability) bool {
	var have capability
	switch strings.ToLower(class) {
	case "ocf":
		have = capProvider | capParams | capUnique | capPromotable
	case "stonith":
		have = capParams | capUnique | capFenceParams
	}
	return have&c != 0
}

// isConnection tells whether an element is a remote connection.
func isConnection(e *etree.Element) bool {
	return strings.EqualFold(document.Get(e, "type"), "remote") &&
		strings.EqualFold(document.Get(e, "class"), "ocf") && strings.EqualFold(document.Get(e, "provider"), "pacemaker")
}

var errInvalid = errors.New("status: the resource's configuration is invalid")

// unpackResources reads the resources section.
func (c *Cluster) unpackResources(locationOnly bool) {
	c.Templates = map[string][]string{}
	for e := range document.Children(c.resourcesXML, "") {
		id := document.ID(e)
		if id == "" {
			c.errorf("ignoring <%s> resource without id", e.Tag)
			continue
		}
		if e.Tag == "template" {
			if _, has := c.Templates[id]; !has {
				c.Templates[id] = nil
			}
			continue
		}
		r, err := c.unpackResource(e, nil, "")
		if err != nil {
			c.errorf("ignoring <%s> resource '%s' because its configuration is invalid", e.Tag, id)
			continue
		}
		c.addTop(r)
	}
	for _, r := range c.Resources {
		c.linkLauncher(r)
		if !locationOnly {
			c.linkConnection(r)
		}
	}
	c.sortTops()
	if c.Options.FencingEnabled && !c.HaveFencing {
		c.errorf("resource start-up disabled since no fencing resources have been defined. Either configure some or disable fencing with the fencing-enabled option. NOTE: Clusters with shared data need fencing to ensure data integrity.")
	}
}

// linkLauncher ties what runs inside a resource to that resource.
func (c *Cluster) linkLauncher(r *Resource) {
	if len(r.Children) > 0 {
		for _, k := range r.Children {
			c.linkLauncher(k)
		}
		return
	}
	id, ok := r.Meta["container"]
	if !ok || id == r.ID {
		return
	}
	l := c.FindResource(id, MatchHistory)
	if l == nil {
		c.errorf("resource %s: unknown container %s", r.ID, id)
		return
	}
	r.Launcher = l
	l.Launched = append(l.Launched, r)
}

// linkConnection ties a connection resource to its node.
func (c *Cluster) linkConnection(r *Resource) {
	if !r.Is(IsConnection) {
		return
	}
	n := c.FindNode(r.ID)
	if n == nil {
		return
	}
	n.Connection = r
	if r.Launcher == nil {
		c.startupFencing(n)
	} else {
		n.Attrs["#kind"] = "container"
	}
}

// unpackResource makes a resource of an element. instance numbers it within a
// clone.
func (c *Cluster) unpackResource(e *etree.Element, parent *Resource, instance string) (*Resource, error) {
	id, ok := document.Lookup(e, "id")
	if !ok {
		return nil, errInvalid
	}
	r := &Resource{
		ID: id, XML: e, Parent: parent, Cluster: c, Role: RoleStopped,
		Meta: map[string]string{},
	}
	if err := c.mergeTemplate(r); err != nil {
		return nil, err
	}
	r.ops = document.Child(r.XML, "operations")
	switch e.Tag {
	case "primitive":
		r.Variant = Primitive
	case "group":
		r.Variant = Group
	case "clone":
		r.Variant = Clone
	case "bundle":
		r.Variant = BundleVariant
	default:
		c.errorf("ignoring resource '%s' of unknown type '%s'", id, e.Tag)
		return nil, errInvalid
	}
	if instance != "" {
		r.ID = id + ":" + instance
		r.Meta["clone"] = instance
	}
	c.metaAttributes(r)
	c.unpackMeta(r)
	if role, ok := r.TargetRole(); ok {
		r.NextRole = role
	}
	if err := c.unpackVariant(r, instance); err != nil {
		return nil, err
	}
	if c.Options.SymmetricCluster {
		r.Ban(nil, 0, symmetricDefault)
	} else if r.Is(IsConnection) && r.Meta["container"] != "" {
		r.Ban(nil, 0, "guest node connection default")
	}
	if document.Child(r.XML, "utilization") != nil {
		r.Utilization = map[string]string{}
		rule.Blocks(r.XML, "utilization", "", c.ruleInput(), r.Utilization)
	}
	if t, ok := document.Lookup(e, "template"); ok && r.XML != e {
		c.Templates[t] = appendOnce(c.Templates[t], id)
	}
	return r, nil
}

func (c *Cluster) unpackVariant(r *Resource, instance string) error {
	switch r.Variant {
	case Group:
		return c.unpackGroup(r, instance)
	case Clone:
		return c.unpackClone(r)
	case BundleVariant:
		return c.unpackBundle(r)
	}
	return c.unpackPrimitive(r)
}

// metaAttributes gathers a resource's meta-attributes: its element's attributes,
// its own blocks, those of what holds it, the defaults, then all of its holder's.
func (c *Cluster) metaAttributes(r *Resource) {
	add := func(k, v string) {
		if _, has := r.Meta[k]; !has && !strings.EqualFold(v, "#default") {
			r.Meta[k] = v
		}
	}
	for _, a := range r.XML.Attr {
		add(a.Key, a.Value)
	}
	in := c.ruleInput()
	in.Class, in.Provider, in.Type = document.Get(r.XML, "class"), document.Get(r.XML, "provider"), document.Get(r.XML, "type")
	rule.Blocks(r.XML, "meta_attributes", "", in, r.Meta)
	held := map[string]string{}
	for p := r.Parent; p != nil; p = p.Parent {
		rule.Blocks(p.XML, "meta_attributes", "", in, held)
	}
	for k, v := range held { // any order: each name on its own
		add(k, v)
	}
	rule.Blocks(c.rscDefaults, "meta_attributes", "", in, r.Meta)
	if r.Parent != nil {
		for k, v := range r.Parent.Meta { // any order: each name on its own
			add(k, v)
		}
	}
}

// unpackMeta sets what the meta-attributes say.
func (c *Cluster) unpackMeta(r *Resource) {
	isTrue := func(name string) bool { return IsTrue(r.Meta[name]) }
	set := func(on bool, f Flags) {
		if on {
			r.Set(f)
		} else {
			r.Clear(f)
		}
	}
	r.Set(Managed)
	r.Priority, _ = c.ParseScore(r.Meta["priority"], 0)
	v, has := r.Meta["critical"]
	set(!has || IsTrue(v), Critical)
	set(isTrue("notify"), Notify)
	remote := false
	if isConnection(r.XML) {
		r.Set(IsConnection)
		_, guest := r.Meta["container"]
		remote = !guest
	}
	v, has = r.Meta["allow-migrate"]
	set(IsTrue(v) || !has && remote, Migratable)
	if v, has = r.Meta["is-managed"]; has && !strings.EqualFold(v, "default") {
		set(IsTrue(v), Managed)
	}
	if isTrue("maintenance") || c.Options.Maintenance {
		r.Clear(Managed)
		r.Set(InMaintenance)
	}
	if r.Top(false).Variant == Clone {
		set(r.uniqueWanted(), Unique)
		set(isTrue("promotable"), Promotable)
	} else {
		r.Set(Unique)
	}
	switch strings.ToLower(r.Meta["multiple-active"]) {
	case "stop_only":
		r.MultipleActive = MultipleStop
	case "block":
		r.MultipleActive = MultipleBlock
	case "stop_unexpected":
		r.MultipleActive = MultipleUnexpected
	}
	r.Stickiness, _ = c.ParseScore(r.Meta["resource-stickiness"], 0)
	r.MigrationThreshold = Infinity
	if v, has = r.Meta["migration-threshold"]; has {
		if t, ok := c.ParseScore(v, Infinity); ok && t >= 0 {
			r.MigrationThreshold = t
		}
	}
	if strings.EqualFold(document.Get(r.XML, "class"), "stonith") {
		c.HaveFencing = true
		r.Set(FenceDevice)
	}
	v, has = r.Meta["requires"]
	c.unpackRequires(r, v, has)
	if v, has = r.Meta["failure-timeout"]; has {
		r.FailureTimeoutMS, _ = iso8601.ParseInterval(v)
	}
	if remote {
		if v, has := c.Params(r, nil)["reconnect_interval"]; has {
			r.ReconnectMS, _ = iso8601.ParseInterval(v)
			r.FailureTimeoutMS = r.ReconnectMS
		}
	}
}

func (r *Resource) uniqueWanted() bool {
	if v, has := r.Meta["globally-unique"]; has {
		return IsTrue(v)
	}
	return minInt(r.Meta["clone-node-max"], 1, 0) > 1
}

func (c *Cluster) unpackRequires(r *Resource, v string, has bool) {
	switch strings.ToLower(v) {
	case "nothing":
		return
	case "quorum":
		r.Set(NeedsQuorum)
		return
	case "fencing":
		r.Set(NeedsFencing)
		return
	case "unfencing":
		if r.Is(FenceDevice) || !c.Options.FencingEnabled {
			r.Set(NeedsQuorum)
		} else {
			r.Set(NeedsFencing | NeedsUnfencing)
		}
		return
	}
	if has {
		c.errorf("using the default of 'requires' for %s because '%s' is not valid", r.ID, v)
	}
	switch {
	case r.Is(FenceDevice) || r.Variant == Primitive && isConnection(r.XML):
		r.Set(NeedsQuorum)
	case c.EnableUnfencing:
		c.unpackRequires(r, "unfencing", true)
	case c.Options.FencingEnabled:
		r.Set(NeedsFencing)
	case c.Options.NoQuorum == NoQuorumIgnore:
	default:
		r.Set(NeedsQuorum)
	}
}

func (c *Cluster) unpackPrimitive(r *Resource) error {
	class := document.Get(r.XML, "class")
	top := r.Top(false)
	if !hasCap(class, capUnique) && r.Is(Unique) && top.Variant == Clone {
		top.CloneNodeMax = 1
		top.CloneMax = min(top.CloneMax, len(c.Nodes))
		top.clearUnique()
		r.clearUnique()
	}
	if !hasCap(class, capPromotable) && top.Is(Promotable) {
		c.errorf("resource %s is of type %s and therefore cannot be used as a promotable clone resource", r.ID, class)
		return errInvalid
	}
	return nil
}

func (r *Resource) clearUnique() {
	r.Clear(Unique)
	r.Meta["globally-unique"] = "false"
	for _, k := range r.Children {
		k.clearUnique()
	}
}

func (c *Cluster) unpackGroup(r *Resource, instance string) error {
	on := func(name string) bool {
		v, has := r.Meta[name]
		b, ok := ParseBool(v)
		if has && ok && !b {
			c.warnf("support for the '%s' group meta-attribute is deprecated (use a resource set instead)", name)
		}
		return !has || !ok || b
	}
	r.Ordered, r.Colocated = on("ordered"), on("collocated")
	for e := range document.Children(r.XML, "primitive") {
		if k, err := c.unpackResource(e, r, instance); err == nil {
			r.Children = append(r.Children, k)
		}
	}
	if len(r.Children) == 0 {
		c.errorf("group %s has no members", r.ID)
		return errInvalid
	}
	return nil
}

// maxInstances bounds the instances of one clone.
const maxInstances = 10000

func (c *Cluster) unpackClone(r *Resource) error {
	number := func(def int, names ...string) int {
		for _, n := range names {
			if v, has := r.Meta[n]; has {
				return min(minInt(v, def, 0), maxInstances)
			}
		}
		return def
	}
	if r.Is(Promotable) {
		r.PromotedMax = number(1, "promoted-max", "master-max")
		r.PromotedNodeMax = number(1, "promoted-node-max", "master-node-max")
	}
	r.CloneNodeMax = number(1, "clone-node-max")
	r.CloneMax = number(max(1, len(c.Nodes)), "clone-max")
	r.Ordered = IsTrue(r.Meta["ordered"])
	if !r.Is(Unique) && r.CloneNodeMax > 1 {
		c.errorf("ignoring clone-node-max of %d for %s because anonymous clones support only one instance per node", r.CloneNodeMax, r.ID)
		r.CloneNodeMax = 1
	}
	for e := range document.Children(r.XML, "") {
		if e.Tag == "primitive" || e.Tag == "group" {
			r.ChildXML = e
			break
		}
	}
	if r.ChildXML == nil {
		c.errorf("%s has nothing to clone", r.ID)
		return errInvalid
	}
	if _, has := r.Meta["resource-stickiness"]; !has {
		r.Meta["resource-stickiness"] = "1"
	}
	r.Meta["globally-unique"] = strconv.FormatBool(r.Is(Unique))
	for i := 0; i < max(1, r.CloneMax); i++ {
		if c.addInstance(r) == nil {
			return errInvalid
		}
	}
	return nil
}

// addInstance makes one more instance of a clone; those beyond clone-max count
// as removed.
func (c *Cluster) addInstance(r *Resource) *Resource {
	removed := r.instances >= r.CloneMax
	k, err := c.unpackResource(r.ChildXML, r, strconv.Itoa(r.instances))
	if err != nil {
		return nil
	}
	r.instances++
	k.place = len(r.Children)
	r.Children = append(r.Children, k)
	if r.filed {
		c.file(k)
	}
	if removed {
		k.SetAll(Removed)
	}
	k.Meta["clone-max"] = strconv.Itoa(r.CloneMax)
	return k
}

// mergeTemplate replaces a primitive's element by one with its template's
// content; the primitive's operations win by name and role.
func (c *Cluster) mergeTemplate(r *Resource) error {
	ref, ok := document.Lookup(r.XML, "template")
	if !ok {
		return nil
	}
	t := document.ChildWith(c.resourcesXML, "template", "id", ref)
	if ref == document.ID(r.XML) || t == nil {
		c.errorf("no template named '%s' for %s", ref, r.ID)
		return errInvalid
	}
	merged := document.Clone(t)
	merged.Tag = r.XML.Tag
	document.Set(merged, "id", document.ID(r.XML))
	base := document.Child(merged, "operations")
	var own *etree.Element
	for e := range document.Children(r.XML, "") {
		k := document.Clone(e)
		merged.AddChild(k)
		if own == nil && k.Tag == "operations" {
			own = k
		}
	}
	if base != nil && own != nil {
		have := map[string]bool{}
		for op := range document.Children(own, "") {
			have[templateOpKey(op)] = true
		}
		for op := range document.Children(base, "") {
			if !have[templateOpKey(op)] {
				own.AddChild(document.Clone(op))
			}
		}
		merged.RemoveChild(base)
	}
	r.XML = merged
	return nil
}

func templateOpKey(op *etree.Element) string {
	role := document.Get(op, "role")
	switch ParseRole(role) {
	case RoleStarted, RoleUnpromoted, RoleUnknown:
		if role == "" || ParseRole(role) != RoleUnknown {
			role = "Unknown"
		}
	}
	return document.Get(op, "name") + "-" + role
}
