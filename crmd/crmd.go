// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package crmd

import (
	"context"
	"time"
)

// A Controller is a node's cluster resource manager daemon as the operator
// tools see it. Reading the cluster's state is the CIB's business; here is what
// only the controller knows or does.
type Controller interface {
	// Status describes this node's controller.
	Status(ctx context.Context) (Status, error)
	// NodeStatus asks the controller of another node to describe itself.
	NodeStatus(ctx context.Context, node string) (Status, error)
	// Peers lists the nodes that the controller knows.
	Peers(ctx context.Context) ([]Peer, error)
	// Fence asks for a node to be fenced by the cluster: action off, reboot or on.
	// It returns when the fencing is confirmed or has failed.
	Fence(ctx context.Context, node, action string, timeout, delay time.Duration) error
	// ConfirmFenced is the operator's word that a node is off (stonith_admin -C).
	ConfirmFenced(ctx context.Context, node string) error
	// FenceHistory lists fencing operations, newest first; "" and "*" are all
	// targets.
	FenceHistory(ctx context.Context, node string) ([]FenceEvent, error)
	// FenceDevices lists the registered fence devices, those that can fence node
	// if it is not "".
	FenceDevices(ctx context.Context, node string) ([]string, error)
	// Cleanup forgets a resource's failures (refresh: its whole history) on a
	// node, "" being all resources or all nodes, so that it is probed again. It
	// returns when every node has answered.
	Cleanup(ctx context.Context, req CleanupRequest) error
	// Fail reports a made-up failure of a resource (crm_resource --fail).
	Fail(ctx context.Context, resource, node string) error
	// RemoveNode forgets a node that left for good (crm_node -R).
	RemoveNode(ctx context.Context, node string) error
	// RequestShutdown asks for this node's resources to be drained, and returns
	// when they are and the controller has left.
	RequestShutdown(ctx context.Context) error
	// Metadata and lists of agents, from this node's executor.
	AgentMetadata(ctx context.Context, class, provider, typ string) (string, error)
	Close() error
}

// Status is what crmadmin -S prints, and more.
type Status struct {
	Node  string
	ID    uint32
	DC    string // "" while there is none
	State string // S_IDLE, S_TRANSITION_ENGINE, S_NOT_DC, …
	// Quorate is the ring's word.
	Quorate bool
	// Transition is the number of the running or last transition of the DC, and
	// Idle tells that the DC has nothing left to do; both are the DC's word on
	// every node.
	Transition int
	Idle       bool
	Version    string
	FeatureSet string
}

// A Peer is one node as membership has it.
type Peer struct {
	ID    uint32
	Name  string
	State string // member, lost
	// Controller tells whether its controller takes part.
	Controller bool
}

// A FenceEvent is one fencing operation.
type FenceEvent struct {
	ID                                          string
	Target, Action, Device, Client, Origin, Dlg string
	State                                       string // pending, success, failed
	Reason                                      string // exit reason of a failure
	Completed                                   time.Time
}

// A CleanupRequest names what to forget.
type CleanupRequest struct {
	Resource, Node string
	Operation      string
	Interval       time.Duration
	// FailuresOnly keeps the history of what did not fail (cleanup), else all of
	// it is forgotten (refresh).
	FailuresOnly bool
}
