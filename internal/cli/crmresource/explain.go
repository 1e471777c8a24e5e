// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package crmresource

import (
	"github.com/quorate/quorate/internal/cli/exit"
	"github.com/quorate/quorate/pengine/explain"
	"github.com/quorate/quorate/pengine/sched"
)

// explain asks the policy engine why a resource is (or is not) where it is, and
// what would change that.
func (k *call) explain() error {
	q := explain.Question{Resource: k.r.ID}
	if k.n != nil {
		q.Node = k.n.Name
	}
	a, err := explain.Explain(sched.Input{CIB: k.root, Now: k.c.Now, TransitionID: 1}, q)
	if err != nil {
		return exit.Errorf(exit.NoSuch, "crm_resource: %s", err)
	}
	if k.o.as == "xml" {
		k.body = append(k.body, a.XML())
		return nil
	}
	k.io.Printf("%s", a.Text())
	return nil
}
