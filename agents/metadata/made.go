// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package metadata

import (
	"bufio"
	"bytes"
	"encoding/xml"
	"fmt"
	"strings"

	"github.com/beevik/etree"
)

const doctype = "<?xml version=\"1.0\"?>\n<!DOCTYPE resource-agent SYSTEM \"ra-api-1.dtd\">\n"

// Systemd makes the metadata of a unit from its description.
func Systemd(name, description string) string {
	return doctype + fmt.Sprintf(`<resource-agent name="%[1]s" version="0.1">
  <version>1.1</version>
  <longdesc lang="en">
    %[2]s
  </longdesc>
  <shortdesc lang="en">systemd unit file for %[1]s</shortdesc>
  <parameters/>
  <actions>
    <action name="start"     timeout="100" />
    <action name="stop"      timeout="100" />
    <action name="status"    timeout="100" />
    <action name="monitor"   timeout="100" interval="60"/>
    <action name="meta-data" timeout="5"   />
  </actions>
  <special tag="systemd"/>
</resource-agent>
`, escape(name), escape(description))
}

// lsbInfo is what an init script's INIT INFO block says.
type lsbInfo struct {
	fields map[string]string
	short  string
	long   []string
}

var lsbKeys = []string{
	"Provides", "Required-Start", "Required-Stop", "Should-Start", "Should-Stop",
	"Default-Start", "Default-Stop",
}

// LSB makes the metadata of an init script from the comment block that the
// Linux Standard Base defines; the script need not have one.
func LSB(name string, script []byte) string {
	info := parseInitInfo(script)
	short := info.short
	if short == "" {
		short = name
	}
	var special strings.Builder
	for _, k := range lsbKeys {
		if v := info.fields[k]; v != "" {
			fmt.Fprintf(&special, "    <%s>%s</%s>\n", k, escape(v), k)
		}
	}
	long := strings.Join(info.long, "\n")
	if long == "" {
		long = short
	}
	return doctype + fmt.Sprintf(`<resource-agent name="%s" version="1.0">
  <version>1.0</version>
  <longdesc lang="en">
%s
  </longdesc>
  <shortdesc lang="en">%s</shortdesc>
  <parameters/>
  <actions>
    <action name="meta-data"    timeout="5"  />
    <action name="start"        timeout="15" />
    <action name="stop"         timeout="15" />
    <action name="status"       timeout="15" />
    <action name="restart"      timeout="15" />
    <action name="force-reload" timeout="15" />
    <action name="monitor"      timeout="15" interval="15" />
  </actions>
  <special tag="LSB">
%s  </special>
</resource-agent>
`, escape(name), escape(long), escape(short), special.String())
}

// maxInitInfo bounds the lines read of an init script.
const maxInitInfo = 1000

func parseInitInfo(script []byte) lsbInfo {
	info := lsbInfo{fields: map[string]string{}}
	in, inLong := false, false
	sc := bufio.NewScanner(bytes.NewReader(script))
	for n := 0; sc.Scan() && n < maxInitInfo; n++ {
		line := sc.Text()
		switch {
		case strings.HasPrefix(line, "### BEGIN INIT INFO"):
			in = true
			continue
		case strings.HasPrefix(line, "### END INIT INFO"):
			return info
		case !in || !strings.HasPrefix(line, "#"):
			continue
		}
		text := line[1:]
		if inLong && (strings.HasPrefix(text, "\t") || strings.HasPrefix(text, "  ")) {
			info.long = append(info.long, strings.TrimSpace(text))
			continue
		}
		inLong = false
		key, value, ok := strings.Cut(strings.TrimSpace(text), ":")
		if !ok {
			continue
		}
		value = strings.TrimSpace(value)
		switch key {
		case "Short-Description":
			info.short = value
		case "Description":
			inLong = true
			if value != "" {
				info.long = append(info.long, value)
			}
		default:
			info.fields[key] = value
		}
	}
	return info
}

func escape(s string) string {
	var b strings.Builder
	// EscapeText replaces what XML cannot hold; a Builder does not fail.
	_ = xml.EscapeText(&b, []byte(s))
	return b.String()
}

// Fence completes a fence agent's metadata for display, as configuration tools
// expect it: start and stop actions are there, and the parameters that the
// cluster fills in itself are not required.
func Fence(text string) (string, error) {
	if _, err := Parse([]byte(text)); err != nil {
		return "", err
	}
	doc := etree.NewDocument()
	doc.ReadSettings.CharsetReader = decoder(nil).CharsetReader
	if err := doc.ReadFromString(text); err != nil {
		return "", fmt.Errorf("metadata: %w", err)
	}
	root := doc.Root()
	if ps := root.SelectElement("parameters"); ps != nil {
		for _, p := range ps.SelectElements("parameter") {
			switch p.SelectAttrValue("name", "") {
			case "action", "port", "plug":
				p.CreateAttr("required", "0")
			}
		}
	}
	acts := root.SelectElement("actions")
	if acts == nil {
		acts = root.CreateElement("actions")
	}
	for _, name := range []string{"stop", "start"} {
		if acts.FindElement("action[@name='"+name+"']") == nil {
			a := acts.CreateElement("action")
			a.CreateAttr("name", name)
			a.CreateAttr("timeout", "20s")
		}
	}
	out := etree.NewDocument()
	out.SetRoot(root.Copy())
	out.WriteSettings.CanonicalText = false
	out.IndentWithSettings(&etree.IndentSettings{Spaces: 2, PreserveLeafWhitespace: true})
	return out.WriteToString()
}
