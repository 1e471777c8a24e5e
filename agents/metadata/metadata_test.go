// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package metadata

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const sample = `<?xml version="1.0" encoding="ISO-8859-1"?>
<!DOCTYPE resource-agent SYSTEM "ra-api-1.dtd">
<resource-agent name="X" version="1.0">
<version>1.1</version>
<longdesc lang="de">lang</longdesc><longdesc lang="en"> long </longdesc>
<shortdesc lang="en">Gr` + "\xfc" + `n</shortdesc>
<parameters>
 <parameter name="ip" unique="1" required="1"><shortdesc lang="en">IP</shortdesc><content type="string" default=""/></parameter>
 <parameter name="pw" private="1" reloadable="true" unique-group="g"><deprecated/><content type="string" default="x"/></parameter>
</parameters>
<actions>
 <action name="monitor" timeout="20s" interval="10" depth="0" role="Promoted"/>
 <action name="on" automatic="1" on_target="1" timeout="1min"/>
</actions>
</resource-agent>`

func TestParse(t *testing.T) {
	got, err := Parse([]byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	want := Agent{
		Name: "X", OCFVersion: "1.1", Short: "Grün", Long: "long",
		Parameters: []Parameter{
			{Name: "ip", Short: "IP", Type: "string", Required: true, Unique: true},
			{Name: "pw", Type: "string", Default: "x", Unique: true, Reloadable: true, Private: true, Deprecated: true},
		},
		Actions: []Action{
			{Name: "monitor", Timeout: 20 * time.Second, Interval: 10 * time.Second, Depth: "0", Role: "Promoted"},
			{Name: "on", Timeout: time.Minute, Automatic: true, OnTarget: true},
		},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if !got.Supports("on") || got.Supports("off") || !got.HasParameter("ip") || got.HasParameter("port") {
		t.Error("look-ups")
	}
}

func TestBadMetadataIsAnError(t *testing.T) {
	bomb := `<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><resource-agent name="x"><longdesc>&b;</longdesc></resource-agent>`
	for name, text := range map[string]string{
		"empty": "", "no XML": "usage: x {start|stop}", "cut": sample[:200], "another element": "<a/>", "entities": bomb,
		"deep": strings.Repeat("<a>", 1000) + strings.Repeat("</a>", 1000), "encoding": `<?xml version="1.0" encoding="utf-7"?><resource-agent/>`,
	} {
		if a, err := Parse([]byte(text)); err == nil {
			t.Errorf("%s: %+v", name, a)
		}
	}
	if _, err := Parse(make([]byte, MaxSize+1)); !errors.Is(err, ErrTooBig) {
		t.Errorf("too big: %v", err)
	}
	if _, err := Parse([]byte("<a/>")); !errors.Is(err, ErrNotMetadata) {
		t.Errorf("another element: %v", err)
	}
}

func TestLSBScriptIsDescribedByItsComments(t *testing.T) {
	text := LSB("web", []byte("#!/bin/sh\n### BEGIN INIT INFO\n# Provides:   web httpd\n# Required-Start: $remote_fs\n"+
		"# Short-Description: A <web> server\n# Description: It serves\n#   pages\n#\tand more\n# Default-Stop: 0 1 6\n### END INIT INFO\n# Provides: no\n"))
	a, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if a.Short != "A <web> server" || a.Long != "It serves\npages\nand more" || !a.Supports("force-reload") {
		t.Errorf("%+v", a)
	}
	for _, want := range []string{"<Provides>web httpd</Provides>", "<Required-Start>$remote_fs</Required-Start>", "<Default-Stop>0 1 6</Default-Stop>"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
	if a, err := Parse([]byte(LSB("bare", []byte("#!/bin/sh\n")))); err != nil || a.Short != "bare" {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestSystemdUnitIsDescribedByItsDescription(t *testing.T) {
	a, err := Parse([]byte(Systemd("dbus", "D-Bus & more")))
	if err != nil || a.Long != "D-Bus & more" || a.Short != "systemd unit file for dbus" || !a.Supports("monitor") {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestTimes(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"20": 20 * time.Second, "20s": 20 * time.Second, "1min": time.Minute, "500ms": 500 * time.Millisecond, "2h": 2 * time.Hour,
		"": 0, "x": 0, "5 parsecs": 0, "999999999999": 365 * 24 * time.Hour, "99999999999999999999": 0,
	} {
		if got := span(in); got != want {
			t.Errorf("%q is %v, not %v", in, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte("<resource-agent><actions><action/></actions></resource-agent>"))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := Parse(b)
		if err != nil {
			return
		}
		for _, act := range a.Actions {
			if act.Timeout < 0 || act.Interval < 0 {
				t.Errorf("%+v", act)
			}
		}
		if _, err := Fence(string(b)); err != nil && !strings.Contains(err.Error(), "metadata") {
			t.Error(err)
		}
	})
}

func FuzzLSB(f *testing.F) {
	f.Add([]byte("### BEGIN INIT INFO\n# Description: a\n#  b\n### END INIT INFO"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := Parse([]byte(LSB("x", b))); err != nil {
			t.Error(err)
		}
	})
}
