// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package lrmd

import (
	"context"
	"time"
)

// An Agent names a resource agent.
type Agent struct {
	Class    string // ocf, lsb, systemd, service, stonith
	Provider string // OCF only
	Type     string
}

// ExitCode is an agent's result in OCF's numbers (0 ok, 7 not running, …; 193
// is unknown).
type ExitCode int

// OpStatus is how an operation ended, in Pacemaker's numbers.
type OpStatus int

// The operation statuses of pcmk_exec_status.
const (
	StatusUnknown      OpStatus = -2
	StatusPending      OpStatus = -1
	StatusDone         OpStatus = 0
	StatusCancelled    OpStatus = 1
	StatusTimeout      OpStatus = 2
	StatusNotSupported OpStatus = 3
	StatusError        OpStatus = 4
	StatusErrorHard    OpStatus = 5
	StatusErrorFatal   OpStatus = 6
	StatusNotInstalled OpStatus = 7
	StatusNotConnected OpStatus = 8
	StatusInvalid      OpStatus = 9
	StatusNoSecrets    OpStatus = 11
)

// An Op is one operation to run on a resource of this node.
type Op struct {
	Resource string // instance name as agents see it: web, clone:0
	Agent    Agent
	Action   string        // start, stop, monitor, promote, demote, notify, migrate_to, …
	Interval time.Duration // 0 is once; else it recurs until cancelled
	Timeout  time.Duration
	// StartDelay delays the first run.
	StartDelay time.Duration
	// Params are the instance attributes and the CRM_meta_* ones, without the
	// OCF_RESKEY_ prefix.
	Params map[string]string
	// UserData comes back with each result: the transition key.
	UserData string
	// Every reports every result of a recurring operation, not only changes.
	Every bool
}

// A Result is the end of one run of an operation.
type Result struct {
	Op         Op
	CallID     int // grows by one for each Op accepted, from 1
	ExitCode   ExitCode
	Status     OpStatus
	ExitReason string
	Output     string // last bytes of standard output and error, bounded
	Started    time.Time
	Ended      time.Time
	Queued     time.Duration // waited before it ran
	Ran        time.Duration
	// Lost marks a result that the executor makes up after its own
	// restart, for an operation that was in flight.
	Lost bool
}

// An Executor runs agents on this node. It knows no cluster. It is safe for
// concurrent use; operations of one resource run one at a time in the order
// given, those of different resources side by side (bounded).
type Executor interface {
	// Execute queues an operation and returns its call id at once. The result
	// comes through Watch. A recurring operation takes the place of one of the
	// same resource, action and interval, which gets no further result.
	Execute(ctx context.Context, op Op) (callID int, err error)
	// Cancel ends a recurring operation, or one given once that has not started;
	// a run under way is killed, awaited and reported as cancelled. known is
	// false where there is no such operation.
	Cancel(ctx context.Context, resource, action string, interval time.Duration) (known bool, err error)
	// Forget ends all recurring operations of a resource and drops its history.
	Forget(ctx context.Context, resource string) error
	// Watch gives what is known (last result of each operation per resource,
	// operations in flight), then each result. Boot tells a restarted executor
	// from the one before.
	Watch(ctx context.Context) (Watch, error)
	// Metadata returns the agent's metadata, XML text.
	Metadata(ctx context.Context, a Agent) (string, error)
	// Agents lists the types of a class and provider; Providers the OCF
	// providers (of a type, or all); Classes the classes available.
	Agents(ctx context.Context, class, provider string) ([]string, error)
	Providers(ctx context.Context, typ string) ([]string, error)
	Classes(ctx context.Context) ([]string, error)
	Close() error
}

// A Watch is a running watch of results.
type Watch interface {
	Snapshot() Snapshot
	Next(ctx context.Context) (Result, error)
	Close() error
}

// A Snapshot is what the executor knew when the watch began.
type Snapshot struct {
	Boot      string   // differs after each start of the daemon
	Results   []Result // last of each resource, action and interval
	Recurring []Op
	InFlight  []Op
}
