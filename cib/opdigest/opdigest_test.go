// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package opdigest_test

import (
	"testing"

	"github.com/quorate/quorate/cib/opdigest"
)

// TestSums compares with digests that Pacemaker recorded.
func TestSums(t *testing.T) {
	for name, c := range map[string]struct {
		params map[string]string
		want   string
	}{
		"no parameters": {nil, "f2317cad3d54cec5d7d7aa7d0bf35cf8"},
		"a start: the timeout does not count": {
			map[string]string{"CRM_meta_timeout": "20000", "CRM_meta_name": "start", "crm_feature_set": "3.0.9"}, "f2317cad3d54cec5d7d7aa7d0bf35cf8",
		},
		"a recurring monitor: the timeout counts": {
			map[string]string{"CRM_meta_timeout": "20000", "CRM_meta_interval": "10000", "CRM_meta_name": "monitor"}, "4811cef7f7f94e3a35a70be7916cb2fd",
		},
	} {
		if got := opdigest.All(c.params); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestSelections(t *testing.T) {
	params := map[string]string{"state": "/run/x", "passwd": "secret", "CRM_meta_timeout": "20000"}
	if opdigest.Only(params, []string{"state"}) != opdigest.All(map[string]string{"state": "/run/x"}) {
		t.Error("Only does not keep exactly the named parameters")
	}
	if opdigest.Without(params, []string{"passwd"}) != opdigest.All(map[string]string{"state": "/run/x"}) {
		t.Error("Without does not drop exactly the named parameters")
	}
	if len(params) != 3 {
		t.Error("the parameters given were changed")
	}
	if opdigest.All(params) == opdigest.All(map[string]string{"state": "/run/y", "passwd": "secret"}) {
		t.Error("different values have the same digest")
	}
	if got := opdigest.MetaName("op-target-rc"); got != "CRM_meta_op_target_rc" {
		t.Error(got)
	}
}
