// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package output

import (
	"bytes"
	"testing"

	"github.com/beevik/etree"
	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/internal/cli/exit"
)

func TestFailureStillGivesTheEnvelope(t *testing.T) {
	var buf bytes.Buffer
	err := Result{
		Request: []string{"crm_mon", "--output-as=xml"}, Code: exit.Disconnect,
		Errors: []string{"crm_mon: a < b"},
	}.Write(&buf)
	if err != nil {
		t.Fatal(err)
	}
	want := `<pacemaker-result api-version="2.25" request="crm_mon --output-as=xml">
  <status code="102" message="Not connected">
    <errors>
      <error>crm_mon: a &lt; b</error>
    </errors>
  </status>
</pacemaker-result>
`
	if d := cmp.Diff(want, buf.String()); d != "" {
		t.Error(d)
	}
}

func TestBodyStandsBeforeTheStatus(t *testing.T) {
	var buf bytes.Buffer
	if err := (Result{Request: []string{"x"}, Body: []*etree.Element{document.New("dc", "node_name", "n1")}}).Write(&buf); err != nil {
		t.Fatal(err)
	}
	want := `<pacemaker-result api-version="2.25" request="x">
  <dc node_name="n1"/>
  <status code="0" message="OK"/>
</pacemaker-result>
`
	if d := cmp.Diff(want, buf.String()); d != "" {
		t.Error(d)
	}
}

func TestUnknownFormatIsRefused(t *testing.T) {
	if _, err := ParseFormat("json", Text, XML); err == nil {
		t.Error("json was accepted")
	}
	if f, err := ParseFormat("xml", Text, XML); err != nil || f != XML {
		t.Errorf("xml gave %v, %v", f, err)
	}
}
