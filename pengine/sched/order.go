// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sched

import (
	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/pengine/status"
)

// orderKind is how strict an ordering constraint is.
type orderKind int

const (
	kindOptional orderKind = iota
	kindMandatory
	kindSerialize
)

type symmetry int

const (
	asymmetricOrder symmetry = iota
	symmetricOrder
	inverseOrder
)

var inverse = map[string]string{
	taskStart: taskStop, taskStop: taskStart, taskPromote: taskDemote, taskDemote: taskPromote,
	taskPromoted: taskDemoted, taskDemoted: taskPromoted, taskStarted: taskStopped, taskStopped: taskStarted,
}

func (s *scheduler) orderKind(e *etree.Element) orderKind {
	kind, has := document.Lookup(e, "kind")
	if !has {
		if v, has := document.Lookup(e, "score"); has {
			if n, _ := s.c.ParseScore(v, 0); n == 0 {
				return kindOptional
			}
		}
		return kindMandatory
	}
	switch kind {
	case "Mandatory":
	case "Optional":
		return kindOptional
	case "Serialize":
		return kindSerialize
	default:
		s.errorf("resetting 'kind' for constraint " + document.ID(e) + " to 'Mandatory' because '" + kind + "' is not valid")
	}
	return kindMandatory
}

func (s *scheduler) symmetry(e *etree.Element, kind orderKind, inherited opt) symmetry {
	if _, has := document.Lookup(e, "kind"); has {
		kind = s.orderKind(e)
	} else if _, has := document.Lookup(e, "score"); has {
		kind = s.orderKind(e)
	}
	symmetric, set := boolAttr(e, "symmetrical")
	if !set && inherited.has {
		symmetric, set = status.IsTrue(inherited.value), true
	}
	switch {
	case set && symmetric && kind != kindSerialize:
		return symmetricOrder
	case set, kind == kindSerialize:
		return asymmetricOrder
	}
	return symmetricOrder
}

func orderRelation(kind orderKind, first string, sym symmetry) relation {
	switch kind {
	case kindOptional:
		return relOrdered
	case kindSerialize:
		return relSerialize
	}
	rel := relOrdered
	switch sym {
	case asymmetricOrder:
		rel |= relAsymmetric
	case symmetricOrder:
		rel |= relFirstImpliesThen
		switch first {
		case taskStart, taskStarted, taskPromote, taskPromoted:
			rel |= relUnrunnableFirstBlocks
		}
	case inverseOrder:
		rel |= relThenImpliesFirst
	}
	return rel
}

// unpackOrder reads one rsc_order.
func (s *scheduler) unpackOrder(e *etree.Element) {
	inherited, has := document.Lookup(e, "symmetrical")
	kind := s.orderKind(e)
	sym := s.symmetry(e, kind, opt{})
	x, ok := s.expandTwo(e, "first", "then", "first-action", "then-action", "action")
	if !ok {
		return
	}
	if x == nil {
		x = e
	}
	var last *etree.Element
	for set := range document.Children(x, "resource_set") {
		if !s.orderSet(set, kind, opt{inherited, has}) {
			return
		}
		if last != nil {
			if !s.orderSets(document.ID(x), last, set, kind, sym) || sym == symmetricOrder && !s.orderSets(document.ID(x), set, last, kind, inverseOrder) {
				return
			}
		}
		last = set
	}
	if last == nil {
		s.orderTwo(x, kind, sym)
	}
}

func (s *scheduler) orderTwo(e *etree.Element, kind orderKind, sym symmetry) {
	first, then := s.resource(document.Get(e, "first")), s.resource(document.Get(e, "then"))
	if first == nil || then == nil {
		s.errorf("ignoring constraint '" + document.ID(e) + "' because a resource of it does not exist")
		return
	}
	firstTask := document.Get(e, "first-action")
	if firstTask == "" {
		firstTask = taskStart
	}
	thenTask := document.Get(e, "then-action")
	if thenTask == "" {
		thenTask = firstTask
	}
	rel := orderRelation(kind, firstTask, sym)
	if least := first.leastBefore(e); least > 0 {
		s.orderLeast(document.ID(e), first, firstTask, then, thenTask, rel, least)
	} else {
		orderTasks(first, firstTask, then, thenTask, rel)
	}
	if sym == symmetricOrder && inverse[firstTask] != "" && inverse[thenTask] != "" {
		orderTasks(then, inverse[thenTask], first, inverse[firstTask], orderRelation(kind, inverse[firstTask], inverseOrder))
	}
}

// leastBefore is how many instances of a clone suffice; 0 is all.
func (r *rsc) leastBefore(e *etree.Element) int {
	if r.Variant != status.Clone {
		return 0
	}
	if v, has := r.Meta["clone-min"]; has {
		n, _ := status.ParseScore(v, 0)
		return max(0, int(n))
	}
	if all, set := boolAttr(e, "require-all"); set && !all {
		return 1
	}
	return 0
}

func (s *scheduler) orderLeast(id string, first *rsc, firstTask string, then *rsc, thenTask string, rel relation, least int) {
	met := s.pseudoAction("clone-one-or-more:" + id)
	met.wantRunnable = least
	for _, k := range first.children {
		s.addOrdering(ordering{first: k, firstKey: k.key(firstTask), thenAction: met, rel: relMinRunnable | relFirstImpliesThenGraphed})
	}
	s.addOrdering(ordering{firstAction: met, then: then, thenKey: then.key(thenTask), rel: rel | relUnrunnableFirstBlocks})
}

// orderSet orders the members of a set.
func (s *scheduler) orderSet(set *etree.Element, parent orderKind, inherited opt) bool {
	kind := parent
	if _, has := document.Lookup(set, "kind"); has {
		kind = s.orderKind(set)
	}
	task := document.Get(set, "action")
	if task == "" {
		task = taskStart
	}
	sequential := true
	if v, has := document.Lookup(set, "sequential"); has {
		sequential = status.IsTrue(v)
	}
	sym := s.symmetry(set, parent, inherited)
	rel := orderRelation(kind, task, sym)
	list, ok := s.refs(set)
	if !ok {
		return false
	}
	if len(list) == 1 {
		return true
	}
	for i, r := range list {
		if kind == kindSerialize {
			for _, then := range list[i+1:] {
				s.addOrdering(ordering{first: r, firstKey: r.key(task), then: then, thenKey: then.key(task), rel: rel})
			}
		} else if sequential && i > 0 {
			orderTasks(list[i-1], task, r, task, rel)
		}
	}
	if sym == asymmetricOrder || !sequential {
		return true
	}
	task = inverse[task]
	rel = orderRelation(kind, task, inverseOrder)
	for i := 1; i < len(list); i++ {
		orderTasks(list[i], task, list[i-1], task, rel)
	}
	return true
}

// orderSets orders one set before another.
func (s *scheduler) orderSets(id string, set1, set2 *etree.Element, kind orderKind, sym symmetry) bool {
	task1, task2 := document.Get(set1, "action"), document.Get(set2, "action")
	if task1 == "" {
		task1 = taskStart
	}
	if task2 == "" {
		task2 = taskStart
	}
	if sym == inverseOrder {
		task1, task2 = inverse[task1], inverse[task2]
	}
	all, given := boolAttr(set1, "require-all")
	all = all || !given || task1 == taskStop || task1 == taskDemote
	rel := orderRelation(kind, task1, sym)
	list1, ok1 := s.refs(set1)
	list2, ok2 := s.refs(set2)
	if !ok1 || !ok2 {
		return false
	}
	if !all {
		any := s.pseudoAction("one-or-more:" + document.ID(set1))
		any.wantRunnable = 1
		for _, r := range list1 {
			s.addOrdering(ordering{first: r, firstKey: r.key(task1), thenAction: any, rel: relMinRunnable | relFirstImpliesThenGraphed})
		}
		for _, r := range list2 {
			s.addOrdering(ordering{firstAction: any, then: r, thenKey: r.key(task2), rel: rel | relUnrunnableFirstBlocks})
		}
		return true
	}
	if v, _ := boolAttr(set1, "sequential"); v && len(list1) > 0 {
		if sym == inverseOrder {
			list1 = list1[:1]
		} else {
			list1 = list1[len(list1)-1:]
		}
	}
	if v, _ := boolAttr(set2, "sequential"); v && len(list2) > 0 {
		if sym == inverseOrder {
			list2 = list2[len(list2)-1:]
		} else {
			list2 = list2[:1]
		}
	}
	for _, a := range list1 {
		for _, b := range list2 {
			orderTasks(a, task1, b, task2, rel)
		}
	}
	return true
}
