// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package graph

// Kind is the element name of an action.
type Kind string

// The kinds of action.
const (
	RscOp       Kind = "rsc_op"       // an operation of an agent on a node
	CrmEvent    Kind = "crm_event"    // fencing, clearing failures, cleaning history, maintenance
	PseudoEvent Kind = "pseudo_event" // a mere point in the order
)

// An Attr is one name and value; their order is kept for output.
type Attr struct{ Name, Value string }

// A Primitive is the agent and the resource of an RscOp.
type Primitive struct {
	ID, LongID            string
	Class, Provider, Type string
}

// A Downed element lists a node that the action takes down.
type Downed struct{ Node string }

// An Action is one step of a transition.
type Action struct {
	Kind         Kind
	ID           int // unique in the graph
	Operation    string
	OperationKey string
	InternalKey  string // internal_operation_key, "" where absent
	OnNode       string
	OnNodeUUID   string
	RouterNode   string
	Primitive    *Primitive
	Attributes   []Attr // in output order
	Params       []Attr // attributes whose names are no XML names
	Downed       []Downed
	Maintenance  []string // maintenance node ids of a CrmEvent
	// MaintenanceNodes tells which remote nodes enter or leave maintenance.
	MaintenanceNodes []MaintenanceNode
	Mode             string // "cib" where only the CIB is concerned
	ShutdownLock     string // seconds, where the resource is locked to the node
}

// A MaintenanceNode is a remote node whose maintenance changes.
type MaintenanceNode struct {
	Node          string
	InMaintenance bool
}

// Attr gives the value of an attribute, "" where absent.
func (a *Action) Attr(name string) string {
	for _, at := range a.Attributes {
		if at.Name == name {
			return at.Value
		}
	}
	return ""
}

// An Input is an action that must be done before a synapse may fire. The other
// fields repeat the action's, as the XML form has them.
type Input struct {
	ActionID     int
	Kind         Kind
	Operation    string
	OperationKey string
	InternalKey  string
	OnNode       string
	OnNodeUUID   string
	RouterNode   string
}

// A Synapse fires its actions once all its inputs are done.
type Synapse struct {
	ID       int
	Priority int
	Actions  []*Action
	Inputs   []Input
}

// A Graph is one transition: what is to be done and in which partial order.
type Graph struct {
	// Attributes of <transition_graph> in output order: cluster-delay,
	// stonith-timeout, failed-stop-offset, failed-start-offset, transition_id, …
	Attributes []Attr
	Synapses   []*Synapse
}

// Attr gives the value of a graph attribute, "" where absent.
func (g *Graph) Attr(name string) string {
	for _, at := range g.Attributes {
		if at.Name == name {
			return at.Value
		}
	}
	return ""
}
