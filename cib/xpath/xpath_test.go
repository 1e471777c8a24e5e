// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package xpath

import (
	"errors"
	"strings"
	"testing"

	"github.com/beevik/etree"
	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/cib/document"
)

const sample = `<cib epoch="7"><configuration>
<crm_config><cluster_property_set id="cib-bootstrap-options"><nvpair id="o-s" name="stonith-enabled" value="false"/></cluster_property_set></crm_config>
<resources>
<group id="g"><primitive id="ip" class="ocf" type="IPaddr2"/><primitive id="web" class="systemd" type="nginx"/></group>
<clone id="c"><primitive id="d" class="ocf" type="Dummy"/></clone>
</resources><!--note--></configuration><status>text</status></cib>`

func parse(t testing.TB, text string) *etree.Element {
	t.Helper()
	root, err := document.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func TestSelect(t *testing.T) {
	root := parse(t, sample)
	for expr, want := range map[string][]string{
		`/cib`:                          {"cib"},
		`/`:                             {"/"},
		`//primitive`:                   {"ip", "web", "d"},
		`//primitive[@class='ocf']`:     {"ip", "d"},
		`//group[@id="g"]`:              {"g"},
		`//clone/primitive[@id="d"]/..`: {"c"},
		`//resources/descendant::primitive[@id="ip"]`:          {"ip"},
		`//nvpair[@name='stonith-enabled']`:                    {"o-s"},
		`//*[starts-with(@id,'cib-')]`:                         {"cib-bootstrap-options"},
		`//primitive[2]`:                                       {"web"},
		`//group/primitive[last()]`:                            {"web"},
		`//primitive[@id='web']/preceding-sibling::*`:          {"ip"},
		`//primitive[@id='ip']/following-sibling::*`:           {"web"},
		`//primitive | //group`:                                {"g", "ip", "web", "d"},
		`//primitive[@id='ip'] | //primitive`:                  {"ip", "web", "d"},
		`//primitive/@type`:                                    {"@type=IPaddr2", "@type=nginx", "@type=Dummy"},
		`//status/text()`:                                      {"text"},
		`//comment()`:                                          {"note"},
		`//*[@id='web']/ancestor::group`:                       {"g"},
		`//tags`:                                               nil,
		`//primitive[not(@id='d') and @class]`:                 {"ip", "web"},
		`/cib/configuration/resources/*[count(primitive) = 2]`: {"g"},
	} {
		matches, err := Select(root, expr)
		if err != nil {
			t.Errorf("%s: %v", expr, err)
			continue
		}
		var got []string
		for _, m := range matches {
			switch {
			case m.Element == nil:
				got = append(got, "/")
			case m.Attr != "":
				got = append(got, "@"+m.Attr+"="+m.Value)
			case m.Text:
				got = append(got, m.Value)
			case document.ID(m.Element) != "":
				got = append(got, document.ID(m.Element))
			default:
				got = append(got, m.Element.Tag)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", expr, diff)
		}
	}
}

func TestWhatIsNoSelectionIsRefused(t *testing.T) {
	root := parse(t, sample)
	for _, expr := range []string{
		``, `//`, `//[`, `//primitive[`, `1+1`, `'text'`, `count(//primitive)`, `//primitive[@id=']`, `foo(`, `//a[unknown()]`,
		strings.Repeat("/a", MaxExpression),
	} {
		if got, err := Select(root, expr); !errors.Is(err, ErrSyntax) {
			t.Errorf("%.40q: %v, %v", expr, got, err)
		}
	}
}

func TestAnExpensiveExpressionIsStopped(t *testing.T) {
	root := document.New("a")
	for range 200 {
		document.Add(document.Add(root, "b"), "c")
	}
	_, err := selectBounded(root, `//*[//*[//*[@x]]]`, 100_000)
	if !errors.Is(err, ErrBound) {
		t.Errorf("error %v, want ErrBound", err)
	}
}

func FuzzSelect(f *testing.F) {
	for _, s := range []string{`//primitive[@class='ocf']/..`, `//*[starts-with(@id,'cib-')]`, `//a | //b[1]/@c`, `count(//x) > 1`} {
		f.Add(s)
	}
	root := parse(f, sample)
	f.Fuzz(func(t *testing.T, expr string) {
		matches, err := selectBounded(root, expr, 100_000)
		if err != nil && !errors.Is(err, ErrSyntax) && !errors.Is(err, ErrBound) {
			t.Fatalf("unexpected error %v", err)
		}
		for _, m := range matches {
			if m.Element != nil && m.Element != root && m.Element.Parent() == nil {
				t.Fatal("match outside of the document")
			}
		}
	})
}
