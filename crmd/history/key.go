// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package history

import (
	"time"

	"github.com/quorate/quorate/transition/graph"
)

// FeatureSet is the CRM feature set that records carry: Pacemaker 2.1.5's.
const FeatureSet = "3.16.1"

// OpKey names an operation of a resource: RSC_OPERATION_MILLISECONDS.
func OpKey(rsc, op string, interval time.Duration) string {
	return graph.OpKey(rsc, op, uint(interval.Milliseconds()))
}
