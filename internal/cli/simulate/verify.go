// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package simulate

import (
	"time"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/schema"
	"github.com/quorate/quorate/pengine/sched"
)

// Verify is the scheduler's opinion on a configuration, for crm_verify.
func Verify(root *etree.Element) (errors, warnings []string) {
	up, err := schema.Upgrade(root, schema.Newest())
	if err != nil {
		return []string{err.Error()}, nil
	}
	r, err := sched.Schedule(sched.Input{CIB: up.CIB, Now: time.Now(), Sanitized: true})
	if err != nil {
		return []string{err.Error()}, nil
	}
	return r.Errors, append(up.Notes, r.Warnings...)
}
