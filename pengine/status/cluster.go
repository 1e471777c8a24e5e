// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package status

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/cib/rule"
)

// ErrNotCIB is the answer to a document whose root is no cib element.
var ErrNotCIB = errors.New("status: the document is not a CIB")

// A Cluster is what a CIB says about the cluster.
type Cluster struct {
	// Root is a private, normalized copy of the CIB, but for the status section,
	// which is the document's.
	Root            *etree.Element
	Now             time.Time
	Quorate         bool
	HaveFencing     bool // a fence device or a watchdog
	HaveRemoteNodes bool
	EnableUnfencing bool
	Sanitized       bool // private parameters are missing; compare secure digests
	Options         Options
	DC              *Node
	Nodes           []*Node     // sorted by name
	Resources       []*Resource // top ones, by falling priority
	Tags            map[string][]string
	Templates       map[string][]string // template → resources
	Tickets         map[string]*Ticket
	Failed          []*FailedOp
	Intents         []Intent
	ParamChecks     []ParamCheck
	RecheckBy       time.Time
	Errors          []string // of the configuration
	Warnings        []string

	// Instances, Disabled and Blocked count resource instances.
	Instances, Disabled, Blocked int

	rscDefaults, opDefaults *etree.Element
	resourcesXML            *etree.Element
	statusXML               *etree.Element
	stopNeeded              []*Resource
	histories               map[string]map[string]*etree.Element // lrm_resource by node name and id
	digests                 map[digestKey]*Digest
	restarts                map[*etree.Element]bool // entries that count as made with other parameters
	named                   map[string][]*Resource  // by id and by name in the history, in order
}

// A Ticket is the state of a geo cluster's ticket.
type Ticket struct {
	ID               string
	Granted, Standby bool
	LastGranted      int64
	State            map[string]string
}

// IntentKind is what the history demands.
type IntentKind int

// The demands.
const (
	IntentFence          IntentKind = iota // fence Node
	IntentAction                           // an optional operation (Task, IntervalMS) is known
	IntentStop                             // stop Rsc on Node
	IntentDemote                           // demote Rsc on Node
	IntentStopOptional                     // stops of Rsc on Node are not needed
	IntentClearFailCount                   // clear the fail count of Rsc on Node
	IntentDeleteHistory                    // delete the history of Rsc on Node
)

// An Intent is something that the history of operations demands of the
// scheduler.
type Intent struct {
	Kind       IntentKind
	Node       *Node
	Rsc        *Resource
	Task       string
	IntervalMS uint
	Reason     string
	// PriorityDelay asks for priority-fencing-delay; AfterRemoteFencing orders a
	// clearing after the fencing of the remote node that Rsc connects.
	PriorityDelay, AfterRemoteFencing bool
	// Managed tells whether Rsc was managed when the demand was made; a node in
	// maintenance takes that away only once the resource is known to run there.
	Managed bool
	// Offline tells whether Node could not run anything at that time; a remote
	// node may come online later, but what was demanded then does not run.
	Offline bool
}

// A ParamCheck is a comparison of parameters that has to wait until resources
// are assigned.
type ParamCheck struct {
	Op   *etree.Element
	Rsc  *Resource
	Node *Node
	// LastFailure is set for the check of a failure, else it is one of an active
	// operation.
	LastFailure bool
}

// A FailedOp is an operation that failed or whose failure is ignored.
type FailedOp struct {
	XML        *etree.Element
	Node       *Node
	Rsc        *Resource
	Key        string // operation_key, or the id of the entry
	Task       string
	IntervalMS uint
	CallID     int
	Exit       ExitCode
	Status     ExecStatus
	Reason     string // exit-reason
}

// Options of Unpack that are not in the CIB.
type Settings struct {
	Now time.Time
	// LocationOnly skips status, for tools that need the configuration alone.
	LocationOnly bool
	Sanitized    bool
}

// Unpack reads a CIB. The document is not changed; its status section must not
// change while the cluster is scheduled.
func Unpack(root *etree.Element, set Settings) (*Cluster, error) {
	if root == nil || root.Tag != "cib" {
		return nil, ErrNotCIB
	}
	c := &Cluster{Root: normalize(privateCopy(root)), Now: set.Now, Sanitized: set.Sanitized}
	c.Quorate = IsTrue(document.Get(c.Root, "have-quorum"))
	config := document.Child(c.Root, "configuration")
	c.opDefaults = document.Child(config, "op_defaults")
	c.rscDefaults = document.Child(config, "rsc_defaults")
	c.resourcesXML = document.Child(config, "resources")
	c.statusXML = document.Child(c.Root, "status")
	c.unpackConfig(document.Child(config, "crm_config"))
	c.unpackNodes(document.Child(config, "nodes"))
	if !set.LocationOnly {
		c.unpackRemoteNodes()
	}
	c.unpackResources(set.LocationOnly)
	c.unpackTags(document.Child(config, "tags"))
	if !set.LocationOnly {
		c.unpackStatus()
	}
	for _, r := range c.Resources {
		c.count(r)
	}
	return c, nil
}

// privateCopy copies all that may be changed: everything but the status
// section, which can be much larger than the rest.
func privateCopy(root *etree.Element) *etree.Element {
	cp := &etree.Element{Space: root.Space, Tag: root.Tag, Attr: slices.Clone(root.Attr)}
	for _, t := range root.Child {
		switch e, ok := t.(*etree.Element); {
		case !ok:
		case e.Tag == "status":
			cp.Child = append(cp.Child, e) // its parent stays the document
		default:
			cp.AddChild(document.Clone(e))
		}
	}
	return cp
}

func (c *Cluster) errorf(format string, args ...any) {
	c.Errors = appendOnce(c.Errors, fmt.Sprintf(format, args...))
}

func (c *Cluster) warnf(format string, args ...any) {
	c.Warnings = appendOnce(c.Warnings, fmt.Sprintf(format, args...))
}

// maxMessages bounds what is remembered of problems.
const maxMessages = 1000

func appendOnce(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	if len(list) >= maxMessages {
		return list
	}
	return append(list, s)
}

func (c *Cluster) intend(i Intent) {
	i.Managed = i.Rsc != nil && i.Rsc.Is(Managed)
	n := i.Node
	i.Offline = n != nil && !n.Online && (!n.IsGuest() || n.RemoteReset)
	switch i.Kind {
	case IntentStop:
		i.Rsc.stopIntended = true
		if i.Managed && i.Offline && !n.Unclean {
			defer c.FenceNode(n, "stop is unrunnable", false)
		}
	case IntentStopOptional:
		if !i.Rsc.stopIntended {
			return // there is no stop yet that could be optional
		}
	}
	c.Intents = append(c.Intents, i)
}

// ruleInput is the input of a rule that depends on time alone.
func (c *Cluster) ruleInput() *rule.Input { return &rule.Input{Now: c.Now, Change: c.recheck} }

// count counts instances for status tools.
func (c *Cluster) count(r *Resource) {
	if r.Bundle != nil {
		for _, rep := range r.Bundle.Replicas {
			for _, k := range rep.Parts() {
				c.count(k)
			}
		}
		return
	}
	if len(r.Children) > 0 {
		for _, k := range r.Children {
			c.count(k)
		}
		return
	}
	if r.Is(Removed) && r.Role <= RoleStopped {
		return
	}
	c.Instances++
	if r.Disabled() {
		c.Disabled++
	}
	if r.Is(Blocked) {
		c.Blocked++
	}
}

func (c *Cluster) unpackTags(tags *etree.Element) {
	c.Tags = map[string][]string{}
	for t := range document.Children(tags, "tag") {
		id := document.ID(t)
		for ref := range document.Children(t, "obj_ref") {
			if o := document.ID(ref); id != "" && o != "" {
				c.Tags[id] = append(c.Tags[id], o)
			}
		}
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m { // any order: they are sorted below
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
