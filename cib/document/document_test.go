// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package document

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/beevik/etree"
)

func TestReaderAcceptsWhatIsWellFormed(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{`<a/>`, `<a/>`},
		{"\uFEFF<?xml version=\"1.0\" encoding='UTF-8'?>\n<!-- x --><a/>\n<!-- y -->\n", `<a/>`},
		{`<a x='1' y="2"/>`, `<a x="1" y="2"/>`},
		{`<a x="it's &quot;q&quot; &lt;&amp;&gt; &#65;&#x42;"/>`, `<a x="it's &quot;q&quot; &lt;&amp;&gt; AB"/>`},
		{"<a x=\"1\n2\t3\r\n4\"/>", `<a x="1 2 3 4"/>`},
		{"<a x=\"1&#10;2\"/>", `<a x="1&#10;2"/>`},
		{"<a>\n  <b/>\n  <!--c-->\n</a>", `<a><b/><!--c--></a>`},
		{"<a>t &lt; <b/> u</a>", `<a>t &lt; <b/> u</a>`},
		{"<a>1<![CDATA[<2>&]]>3</a>", `<a>1&lt;2&gt;&amp;3</a>`},
		{"<a>x\r\ny\rz</a>", "<a>x\ny\nz</a>"},
		{"<a><?pi text?><b></b ></a >", `<a><b/></a>`},
		{`<p:a xmlns:p="u" p:x="1" xml:lang="en"/>`, `<p:a xmlns:p="u" p:x="1" xml:lang="en"/>`},
		{`<é ü="ß"/>`, `<é ü="ß"/>`},
	} {
		root, err := Parse([]byte(tc.in))
		if err != nil {
			t.Errorf("%q: %v", tc.in, err)
			continue
		}
		if got := string(Compact(root)); got != tc.want {
			t.Errorf("%q gives %s, want %s", tc.in, got, tc.want)
		}
	}
}

func TestReaderRefusesWhatIsNot(t *testing.T) {
	for _, tc := range []struct {
		in        string
		line, col int
		msg       string
	}{
		{``, 1, 1, "empty"},
		{`  `, 1, 3, "empty"},
		{`x`, 1, 1, "text outside"},
		{`<a/><b/>`, 1, 5, "extra content"},
		{`<a/>junk`, 1, 5, "text outside"},
		{"<a>\n <b>\n</a>", 3, 1, "mismatch: b and a"},
		{`<a x="1" x="2"/>`, 1, 10, "given twice"},
		{`<a x="1"y="2"/>`, 1, 9, "white space"},
		{`<a x=1/>`, 1, 6, "not quoted"},
		{`<a x/>`, 1, 5, "no value"},
		{`<a x="<"/>`, 1, 7, "not allowed in the value"},
		{`<a x="&foo;"/>`, 1, 7, "entity foo is not defined"},
		{`<a x="&#0;"/>`, 1, 7, "names no XML character"},
		{`<a x="& "/>`, 1, 7, "no character reference"},
		{`<p:a/>`, 1, 1, "prefix p"},
		{`<a p:x="1"/>`, 1, 1, "prefix p"},
		{`<a:b:c xmlns:a="u"/>`, 1, 5, "white space"},
		{`<!DOCTYPE a [<!ENTITY b "c">]><a/>`, 1, 1, "DOCTYPE"},
		{"<a>\x00</a>", 1, 4, "0x00"},
		{"<a>\xff</a>", 1, 4, "UTF-8"},
		{"<a x=\"\xc0\x80\"/>", 1, 7, "UTF-8"},
		{`<a><!-- a -- b --></a>`, 1, 11, "comment"},
		{`<a>]]></a>`, 1, 4, "]]>"},
		{`<a`, 1, 3, "premature end"},
		{`<`, 1, 1, "premature end"},
		{`<a>`, 1, 4, "not closed"},
		{`<a x="`, 1, 6, "not closed"},
		{`</a>`, 1, 1, "without a start"},
		{`<1/>`, 1, 2, "name of an element"},
		{`<a><?xml version="1.0"?></a>`, 1, 4, "only at the start"},
		{`<?xml version="1.0" encoding="latin1"?><a/>`, 1, 1, "encoding"},
	} {
		_, err := Parse([]byte(tc.in))
		var se *SyntaxError
		if !errors.As(err, &se) {
			t.Errorf("%q: error %v, want a SyntaxError", tc.in, err)
			continue
		}
		if se.Line != tc.line || se.Col != tc.col || !strings.Contains(se.Msg, tc.msg) {
			t.Errorf("%q: %v, want %d:%d %s", tc.in, err, tc.line, tc.col, tc.msg)
		}
	}
}

func TestReaderKeepsItsLimits(t *testing.T) {
	lim := Limits{Size: 1000, Depth: 3, Elements: 5, Attrs: 2, Name: 4, Value: 10}
	for in, msg := range map[string]string{
		strings.Repeat(" ", 1001):        "exceeds the limit",
		`<a><b><c><d/></c></b></a>`:      "deeper than 3",
		`<a><b/><b/><b/><b/><b/></a>`:    "more than 5 elements",
		`<a x="" y="" z=""/>`:            "more than 2 attributes",
		`<abcde/>`:                       "exceeds 4 bytes",
		`<a x="12345678901"/>`:           "exceeds 10 bytes",
		`<a>12345678901</a>`:             "exceeds 10 bytes",
		`<a><![CDATA[12345678901]]></a>`: "exceeds 10 bytes",
	} {
		_, err := ParseString(in, lim)
		if err == nil || !strings.Contains(err.Error(), msg) {
			t.Errorf("%.40q: %v, want %s", in, err, msg)
		}
	}
	if _, err := ParseString(`<a x="1234567890" y=""><b><c/></b><b/><b/></a>`, lim); err != nil {
		t.Errorf("at the limits: %v", err)
	}
}

func TestLines(t *testing.T) {
	root, lines, err := ParseLines([]byte("<a>\n<b/>\n\n<c\n x=''><d/></c></a>"))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for e := range All(root, "") {
		got[e.Tag] = lines[e]
	}
	if diff := cmp.Diff(map[string]int{"a": 1, "b": 2, "c": 4, "d": 5}, got); diff != "" {
		t.Error(diff)
	}
}

func TestFormatIsPacemakers(t *testing.T) {
	want := `<cib crm_feature_set="3.16.1" validate-with="pacemaker-3.9" epoch="1" num_updates="0" admin_epoch="0">
  <configuration>
    <crm_config/>
    <nodes/>
    <resources/>
    <constraints/>
  </configuration>
  <status/>
</cib>
`
	if diff := cmp.Diff(want, string(Format(Empty("")))); diff != "" {
		t.Error(diff)
	}
}

func TestHelpers(t *testing.T) {
	root := Empty("")
	ip := Add(Section(root, "resources"), "primitive", "id", "ip", "class", "ocf")
	if got := Path(ip); got != "/cib/configuration/resources/primitive[@id='ip']" {
		t.Errorf("path %s", got)
	}
	if ByID(root, "", "ip") != ip || NewIndex(root)["ip"] != ip || ByID(root, "group", "ip") != nil {
		t.Error("ip is not found by its id")
	}
	if Section(root, "tags") != nil || Section(root, "nonsense") != nil || Section(root, "") != root {
		t.Error("sections")
	}
	c := Clone(root)
	if !Equal(c, root) || Digest(c) != Digest(root) {
		t.Error("a clone differs")
	}
	Set(c, "dc-uuid", "1")
	if Equal(c, root) || Get(root, "dc-uuid") != "" || !Unset(c, "dc-uuid") || !Equal(c, root) {
		t.Error("clone shares attributes, or Unset does not undo Set")
	}
	SetVersions(c, 1, 2, 3)
	if a, e, n := Versions(c); a != 1 || e != 2 || n != 3 {
		t.Errorf("versions %d %d %d", a, e, n)
	}
}

func TestEveryTreeSurvivesWritingAndReading(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tree := drawTree(t, 4)
		for _, text := range [][]byte{Format(tree), Compact(tree)} {
			back, err := Parse(text)
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			if !Equal(tree, back) {
				t.Fatalf("%s came back as %s", Compact(tree), Compact(back))
			}
		}
	})
}

func drawTree(t *rapid.T, depth int) *etree.Element {
	e := New(rapid.SampledFrom([]string{"a", "b", "primitive"}).Draw(t, "tag"))
	text := rapid.StringOf(rapid.RuneFrom([]rune("ab \n\t\r<>&\"'é]-\U0001F600")))
	for _, k := range []string{"id", "x", "y"} {
		if rapid.Bool().Draw(t, "has "+k) {
			Set(e, k, text.Draw(t, k))
		}
	}
	n := 0
	if depth > 0 {
		n = rapid.IntRange(0, 3).Draw(t, "children")
	}
	wasText := false
	for range n {
		if s := text.Draw(t, "text"); !wasText && strings.TrimSpace(s) != "" {
			e.AddChild(etree.NewText(s))
			wasText = true
			continue
		}
		wasText = false
		e.AddChild(drawTree(t, depth-1))
	}
	return e
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`<a x="1">t<b/><!--c--><![CDATA[d]]></a>`))
	f.Add([]byte(`<?xml version="1.0"?><p:a xmlns:p="u" p:x="&#65;&lt;"/>`))
	f.Add(Format(Empty("")))
	f.Fuzz(func(t *testing.T, in []byte) {
		root, err := Parse(in)
		if err != nil {
			return
		}
		text := Format(root)
		back, err := Parse(text)
		if err != nil {
			t.Fatalf("%q written as %q: %v", in, text, err)
		}
		if !Equal(root, back) {
			t.Fatalf("%q written as %q", in, text)
		}
	})
}

// big gives a CIB of about n bytes.
func big(n int) []byte {
	root := Empty("")
	res := Section(root, "resources")
	for i := 0; i < n/420; i++ {
		p := Add(res, "primitive", "id", fmt.Sprintf("rsc%d", i), "class", "ocf", "provider", "heartbeat", "type", "IPaddr2")
		ia := Add(p, "instance_attributes", "id", fmt.Sprintf("rsc%d-ia", i))
		Add(ia, "nvpair", "id", fmt.Sprintf("rsc%d-ia-ip", i), "name", "ip", "value", "192.0.2.1")
		ops := Add(p, "operations")
		Add(ops, "op", "id", fmt.Sprintf("rsc%d-monitor", i), "name", "monitor", "interval", "10s", "timeout", "20s")
	}
	return Format(root)
}

func BenchmarkParse(b *testing.B) {
	text := big(10 << 20)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFormat(b *testing.B) {
	root, err := Parse(big(1 << 20))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(1 << 20)
	var buf []byte
	for b.Loop() {
		buf = AppendFormat(buf[:0], root, 0)
	}
}

func BenchmarkClone(b *testing.B) {
	root, err := Parse(big(1 << 20))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(1 << 20)
	for b.Loop() {
		Clone(root)
	}
}
