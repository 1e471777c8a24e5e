// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package terse

import (
	"errors"
	"strings"
	"testing"

	"github.com/quorate/quorate/cib/document"
)

func TestCIB(t *testing.T) {
	root, err := CIB("node n1 attr.a=1\nclone c\n  primitive p stonith:fence_x op.monitor=10s,on-fail=block\norder o c p kind=Optional\nran n1 p monitor rc=1 interval=10s\n")
	if err != nil {
		t.Fatal(err)
	}
	text := string(document.Compact(root))
	for _, want := range []string{
		`<nvpair id="n1-attrs-a" name="a" value="1"/>`,
		`<clone id="c"><primitive id="p" class="stonith" type="fence_x"><operations><op id="p-op0" name="monitor" interval="10s" on-fail="block"/>`,
		`<rsc_order id="o" first="c" then="p" kind="Optional"/>`,
		`<lrm_rsc_op id="p_last_failure_0" operation_key="p_monitor_10000"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is not in %s", want, text)
		}
	}
}

func TestNonsense(t *testing.T) {
	for _, line := range []string{"nonsense", "location a b", "ran n p", "node n1 dancing", "    primitive p", "xml nowhere <a/>"} {
		if _, err := CIB(line); !errors.Is(err, ErrWord) {
			t.Errorf("%q: %v", line, err)
		}
	}
}
