// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package history

import (
	"strconv"
	"strings"
	"time"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/cib/opdigest"
	"github.com/quorate/quorate/lrmd"
	"github.com/quorate/quorate/transition/graph"
)

// Unknown is the exit code of an operation that has no result yet.
const Unknown lrmd.ExitCode = 193

// Origin is the crm-debug-origin of a record.
type Origin string

// The origins, in Pacemaker's words: the DC treats failures that a join or a
// refresh repeats as known.
const (
	OriginUpdate  Origin = "do_update_resource"
	OriginRefresh Origin = "build_active_RAs"
	OriginTimeout Origin = "cib_action_update"
)

// Pending makes the result of an operation that is about to run.
func Pending(op lrmd.Op, now time.Time) lrmd.Result {
	return lrmd.Result{Op: op, CallID: -1, ExitCode: Unknown, Status: lrmd.StatusPending, Started: now}
}

// Failed tells whether a result is a failure to an action that expected
// targetRC.
func Failed(res lrmd.Result, targetRC int) bool {
	switch res.Status {
	case lrmd.StatusPending, lrmd.StatusCancelled:
		return false
	case lrmd.StatusDone:
		return int(res.ExitCode) != targetRC
	}
	return true
}

// Records builds the lrm_rsc_op elements of one result: one, or two for the
// failure of an operation that does not recur.
func Records(res lrmd.Result, node string, origin Origin, meta *Metadata) []*etree.Element {
	op := res.Op
	targetRC := 0
	if key, err := graph.ParseKey(op.UserData); err == nil {
		targetRC = key.TargetRC
	}
	task := recordedTask(op.Action, res.Status)
	if task == "notify" && res.Status != lrmd.StatusPending {
		// What a notification returns never matters.
		res.ExitCode, res.Status, res.ExitReason = lrmd.ExitCode(0), lrmd.StatusDone, ""
	}
	opKey := OpKey(op.Resource, task, op.Interval)
	reason := ""
	var ids []string
	switch {
	case task == "notify":
		ids = []string{graph.NotifyKey(op.Resource, op.Params["CRM_meta_notify_type"], op.Params["CRM_meta_notify_operation"])}
	case op.Action == "migrate_to" || op.Action == "migrate_from":
		ids = []string{opKey}
		reason = res.ExitReason
	case Failed(res, targetRC):
		reason = res.ExitReason
		ids = []string{op.Resource + "_last_failure_0"}
		if op.Interval == 0 {
			ids = append(ids, op.Resource+"_last_0")
		}
	case op.Interval > 0:
		ids = []string{opKey}
	default:
		ids = []string{op.Resource + "_last_0"}
	}
	var list []*etree.Element
	for _, id := range ids {
		list = append(list, record(id, opKey, task, reason, node, origin, res, meta))
	}
	return list
}

// recordedTask maps a reload to what it means to the policy engine: a start
// with new parameters, or a failed monitor.
func recordedTask(action string, st lrmd.OpStatus) string {
	if action != "reload" && action != "reload-agent" {
		return action
	}
	if st == lrmd.StatusDone {
		return "start"
	}
	return "monitor"
}

func record(id, key, task, reason, node string, origin Origin, res lrmd.Result, meta *Metadata) *etree.Element {
	op := res.Op
	feature := op.Params["crm_feature_set"]
	if feature == "" {
		feature = FeatureSet
	}
	e := document.New("lrm_rsc_op",
		"id", id, "operation_key", key, "operation", task, "crm-debug-origin", string(origin),
		"crm_feature_set", feature, "transition-key", op.UserData, "transition-magic", Magic(res),
		"exit-reason", reason, "on_node", node,
		"call-id", strconv.Itoa(res.CallID), "rc-code", strconv.Itoa(int(res.ExitCode)),
		"op-status", strconv.Itoa(int(res.Status)),
		"interval", strconv.FormatInt(op.Interval.Milliseconds(), 10))
	if !res.Started.IsZero() || !res.Ended.IsZero() {
		at := res.Started
		if at.IsZero() || (op.Interval > 0 && !res.Ended.IsZero()) {
			at = res.Ended
		}
		document.Set(e, "last-rc-change", strconv.FormatInt(at.Unix(), 10))
		document.Set(e, "exec-time", strconv.FormatInt(res.Ran.Milliseconds(), 10))
		document.Set(e, "queue-time", strconv.FormatInt(res.Queued.Milliseconds(), 10))
	}
	if op.Action == "migrate_to" || op.Action == "migrate_from" {
		document.Set(e, "migrate_source", op.Params["CRM_meta_migrate_source"])
		document.Set(e, "migrate_target", op.Params["CRM_meta_migrate_target"])
	}
	digests(e, op, meta)
	return e
}

// Magic gives the transition-magic of a result: STATUS:RC;KEY.
func Magic(res lrmd.Result) string {
	return strconv.Itoa(int(res.Status)) + ":" + strconv.Itoa(int(res.ExitCode)) + ";" + res.Op.UserData
}

func digests(e *etree.Element, op lrmd.Op, meta *Metadata) {
	document.Set(e, "op-digest", opdigest.All(op.Params))
	if meta == nil || !needsMetadata(op.Action) {
		return
	}
	if meta.Reloads && op.Interval == 0 {
		document.Set(e, "op-force-restart", words(meta.Restart))
		document.Set(e, "op-restart-digest", opdigest.Only(op.Params, meta.Restart))
	}
	if len(meta.Private) > 0 {
		document.Set(e, "op-secure-params", words(meta.Private))
		document.Set(e, "op-secure-digest", opdigest.Without(op.Params, meta.Private))
	}
}

// words lists names so that each has a blank on both sides.
func words(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return "  " + strings.Join(names, " ") + "  "
}

func needsMetadata(action string) bool {
	switch action {
	case "start", "monitor", "promote", "demote", "reload", "reload-agent", "migrate_to", "migrate_from", "notify":
		return true
	}
	return false
}
