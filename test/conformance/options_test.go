// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/internal/cli"
	"github.com/quorate/quorate/internal/cli/simulate"
)

// realVariable names the classic crm_simulate to compare with.
const realVariable = "QUORATE_REAL_SIMULATE"

// everyVariable asks for all option sets on all states; without it each state
// gets one or two of the sets.
const everyVariable = "QUORATE_EVERY_OPTION"

// corpusXML is where the corpus' states lie beside the module, if at all.
const corpusXML = "../../../shared/conformance/scheduler/xml"

// needReal gives the classic tool, or skips.
func needReal(t *testing.T) string {
	t.Helper()
	path := os.Getenv(realVariable)
	if path == "" {
		t.Skipf("%s names no crm_simulate to compare with", realVariable)
	}
	return path
}

// A subject is a state with names out of it, of which the options are made.
type subject struct {
	path, name       string
	nodes, resources []string
	tickets          []string
	remotes          bool // there are remote or guest nodes, or bundles
	turn             int
}

func (s *subject) pick(list []string, otherwise string) string {
	if len(list) == 0 {
		return otherwise
	}
	return list[s.turn%len(list)]
}

func (s *subject) node() string     { return s.pick(s.nodes, "") }
func (s *subject) resource() string { return s.pick(s.resources, "") }
func (s *subject) ticket() string   { return s.pick(s.tickets, "ticketX") }

// An optionSet makes a command line for a state; where a state has not what it
// takes, it gives nil.
type optionSet struct {
	name string
	args func(s *subject) []string
}

func fixed(args ...string) func(*subject) []string {
	return func(*subject) []string { return args }
}

// onNode needs a node, onResource a resource as well.
func onNode(f func(node string) []string) func(*subject) []string {
	return func(s *subject) []string {
		if s.node() == "" {
			return nil
		}
		return f(s.node())
	}
}

func onResource(f func(rsc, node string) []string) func(*subject) []string {
	return func(s *subject) []string {
		if s.node() == "" || s.resource() == "" {
			return nil
		}
		return f(s.resource(), s.node())
	}
}

func onTicket(letter string, more ...string) func(*subject) []string {
	return func(s *subject) []string { return append([]string{letter, s.ticket()}, more...) }
}

// optionSets are the command lines that are compared; the state is given with
// -x. %O stands for a file of which the content is compared too.
var optionSets = []optionSet{
	{"nothing", fixed()},
	{"run", fixed("-R")},
	{"simulate", fixed("-S")},
	{"simulate twice told", fixed("--simulate", "--run")},
	{"attributes", fixed("-A")},
	{"fail counts", fixed("-c")},
	{"all sections", fixed("-S", "-A", "-c")},
	{"scores", fixed("-s")},
	{"utilization", fixed("-U")},
	{"both", fixed("-sU")},
	{"scores, quiet", fixed("-sQ")},
	{"utilization, quiet", fixed("-UQ")},
	{"both, quiet", fixed("-sUQ", "-S")},
	{"quiet", fixed("-SQ")},
	{"graph", fixed("-G", "%O")},
	{"dot", fixed("-D", "%O")},
	{"dot of all", fixed("-a", "-D", "%O")},
	{"dot with numbers", fixed("-V", "-D", "%O", "-Q")},
	{"input", fixed("-I", "%O")},
	{"output", fixed("-S", "-O", "%O")},
	{"in place", fixed("-X")},
	{"date", fixed("-S", "-t", "2031-03-01 12:00:00Z")},
	{"no date", fixed("-S", "-t", "garbage")},
	{"node up", onNode(func(n string) []string { return []string{"-S", "-u", n} })},
	{"new node up", fixed("-S", "-u", "brandnew")},
	{"node down", onNode(func(n string) []string { return []string{"-S", "-d", n} })},
	{"node fails", onNode(func(n string) []string { return []string{"-S", "-f", n} })},
	{"node events saved", onNode(func(n string) []string { return []string{"-S", "-f", n, "-I", "%O"} })},
	{"node down, saved", onNode(func(n string) []string { return []string{"-S", "-d", n, "-O", "%O"} })},
	{"monitor fails", onResource(func(r, n string) []string { return []string{"-S", "-i", r + "_monitor_10000@" + n + "=7"} })},
	{"probe finds", onResource(func(r, n string) []string { return []string{"-S", "-i", r + "_monitor_0@" + n + "=0"} })},
	{"stop failed", onResource(func(r, n string) []string { return []string{"-S", "-i", r + "_stop_0@" + n + "=1"} })},
	{"start failed, saved", onResource(func(r, n string) []string { return []string{"-S", "-i", r + "_start_0@" + n + "=1", "-I", "%O"} })},
	{"promote failed, counted", onResource(func(r, n string) []string { return []string{"-R", "-c", "-i", r + "_promote_0@" + n + "=1"} })},
	{"start fails", onResource(func(r, n string) []string { return []string{"-F", r + "_start_0@" + n + "=1"} })},
	{"stop fails, counted", onResource(func(r, n string) []string { return []string{"-c", "-F", r + "_stop_0@" + n + "=1"} })},
	{"monitor fails later", onResource(func(r, n string) []string { return []string{"-F", r + "_monitor_10000@" + n + "=7", "-O", "%O"} })},
	{"quorum alone", fixed("-S", "-q", "false")},
	{"quorum lost", onNode(func(n string) []string { return []string{"-S", "-q", "false", "-f", n} })},
	{"quorum got", fixed("-S", "-q", "1", "-w", "false")},
	{"watchdog", fixed("-S", "-w", "true", "-I", "%O")},
	{"ticket granted", onTicket("-g", "-S")},
	{"ticket revoked", onTicket("-r", "-S")},
	{"ticket standby", onTicket("-b", "-S", "-O", "%O")},
	{"ticket active", onTicket("-e", "-S")},
	{"pending", fixed("-j", "-S")},
	{"xml", fixed("--output-as=xml")},
	{"xml simulate", fixed("--output-as=xml", "-S")},
	{"xml all", fixed("--output-as=xml", "-S", "-A", "-c")},
	{"xml scores", fixed("--output-as=xml", "-s")},
	{"xml utilization", fixed("--output-as=xml", "-U")},
	{"xml both", fixed("--output-as=xml", "-sU", "-R")},
	{"xml quiet", fixed("--output-as=xml", "-SQ")},
	{"xml node fails", onNode(func(n string) []string { return []string{"--output-as=xml", "-S", "-f", n} })},
	{"xml op fails", onResource(func(r, n string) []string { return []string{"--output-as=xml", "-S", "-F", r + "_start_0@" + n + "=1"} })},
	{"xml op injected", onResource(func(r, n string) []string {
		return []string{"--output-as=xml", "-S", "-c", "-i", r + "_monitor_10000@" + n + "=7"}
	})},
	{"none", fixed("--output-as=none", "-S")},
}

// TestOptionsAnswerAsTheClassicTool runs both tools on states of the corpus with
// each set of options.
func TestOptionsAnswerAsTheClassicTool(t *testing.T) {
	real := needReal(t)
	files, err := filepath.Glob(filepath.Join(corpusXML, "*.xml"))
	if err != nil || len(files) == 0 {
		t.Skip("no conformance corpus beside the module")
	}
	every := os.Getenv(everyVariable) != ""
	compared, crashed := 0, 0
	for i, file := range files {
		s := newSubject(t, file, i)
		for k := range optionSets {
			if set := &optionSets[k]; every || k == i%len(optionSets) || i%2 == 0 && k == (i*7+3)%len(optionSets) {
				t.Run(s.name+"/"+set.name, func(t *testing.T) {
					switch compareSet(t, real, s, set) {
					case sameAnswer:
						compared++
					case realCrashed:
						crashed++
					}
				})
			}
		}
	}
	t.Logf("%d answers compared, the classic tool crashed on %d", compared, crashed)
}

func newSubject(t *testing.T, file string, turn int) *subject {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	root, err := document.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	path, err := filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	s := &subject{path: path, name: strings.TrimSuffix(filepath.Base(file), ".xml"), turn: turn}
	for n := range document.Children(document.Section(root, "nodes"), "node") {
		s.nodes = append(s.nodes, document.Get(n, "uname"))
	}
	for r := range document.All(document.Section(root, "resources"), "primitive") {
		s.resources = append(s.resources, document.ID(r))
	}
	for e := range document.All(document.Section(root, "resources"), "") {
		s.remotes = s.remotes || e.Tag == "bundle" || e.Tag == "nvpair" && document.Get(e, "name") == "remote-node" ||
			e.Tag == "primitive" && document.Get(e, "provider") == "pacemaker" && document.Get(e, "type") == "remote"
	}
	for c := range document.Children(document.Section(root, "constraints"), "rsc_ticket") {
		s.tickets = append(s.tickets, document.Get(c, "ticket"))
	}
	return s
}

// An answer is all that a run of a tool gives.
type answer struct {
	Code           int
	Stdout, Stderr string
	File           string
}

type verdict int

const (
	notMade verdict = iota
	sameAnswer
	realCrashed
)

// compareSet runs both tools with a set of options.
func compareSet(t *testing.T, real string, s *subject, set *optionSet) verdict {
	t.Helper()
	args := set.args(s)
	if args == nil && set.name != "nothing" {
		return notMade
	}
	inPlace := slices.Contains(args, "-X")
	if s.remotes && slices.Contains(args, "-u") {
		return notMade // the classic tool makes members of remote nodes then, which they are not
	}
	want := runTool(t, s, args, inPlace, func(args []string, stdout, stderr io.Writer) int {
		return runReal(t, real, args, nil, stdout, stderr)
	})
	if want.Code < 0 {
		return realCrashed
	}
	got := runTool(t, s, args, inPlace, func(args []string, stdout, stderr io.Writer) int {
		return runOurs(args, nil, stdout, stderr)
	})
	if slices.Contains(args, "--output-as=xml") && strings.Contains(got.Stdout, "<modifications") {
		got.Stdout = asTheClassicToolNests(t, got.Stdout)
	}
	want.File, got.File = comparable(want.File), comparable(got.File)
	if strings.HasPrefix(got.Stderr, want.Stderr) || slices.Contains(args, "-V") {
		got.Stderr = want.Stderr // ours may say more
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s %s (-classic +ours)\n%s", s.path, strings.Join(args, " "), d)
		return notMade
	}
	return sameAnswer
}

// comparable takes from a saved CIB what only concerns the classic scheduler: it
// leaves in it what it notes of failed operations, and resources that it makes
// for guests; and of attributes that it makes up, it gives those of several nodes
// the same id.
func comparable(text string) string {
	root, err := document.Parse([]byte(text))
	if err != nil || root.Tag != "cib" {
		return text
	}
	for e := range document.All(root, "lrm_rsc_op") {
		document.Unset(e, "uname")
		document.Unset(e, "rsc-id")
	}
	for state := range document.All(root, "transient_attributes") {
		for e := range document.All(state, "nvpair") {
			document.Unset(e, "id")
		}
	}
	for _, r := range document.Section(root, "resources").ChildElements() {
		for e := range document.All(r, "nvpair") {
			if document.Get(e, "name") == "internal_rsc" && r.Parent() != nil {
				r.Parent().RemoveChild(r)
			}
		}
	}
	return string(document.Format(root))
}

// runTool runs a tool in a folder of its own and gives its answer, with what
// differs from run to run made equal.
func runTool(t *testing.T, s *subject, args []string, inPlace bool, run func([]string, io.Writer, io.Writer) int) answer {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	input := s.path
	if inPlace {
		text, err := os.ReadFile(s.path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		input = file
	}
	line := []string{"-x", input}
	for _, a := range args {
		line = append(line, strings.ReplaceAll(a, "%O", file))
	}
	var stdout, stderr bytes.Buffer
	began := time.Now()
	code := run(line, &stdout, &stderr)
	a := answer{Code: code}
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	mask := func(b string) string { return maskTimes(strings.ReplaceAll(b, dir, "DIR"), began) }
	a.Stdout, a.Stderr, a.File = mask(maskRequest(stdout.String())), mask(stderr.String()), mask(string(text))
	return a
}

// runReal runs the classic tool; the code is negative where it crashed.
func runReal(t *testing.T, real string, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	t.Helper()
	cmd := exec.Command(real, args...) //nolint:gosec // what the user names
	cmd.Env = append(os.Environ(), "TZ=UTC", "LC_ALL=C")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, stderr
	err := cmd.Run()
	var ee *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &ee) && ee.ExitCode() > 128:
		return -1
	case errors.As(err, &ee):
		return ee.ExitCode()
	}
	t.Fatal(err)
	return 0
}

// runOurs runs our tool within this process.
func runOurs(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if stdin == nil {
		stdin = strings.NewReader("")
	}
	stdio := &cli.IO{Stdin: stdin, Stdout: stdout, Stderr: stderr, Env: os.Getenv, Tool: "crm_simulate"}
	return simulate.Tools()[0].Run(context.Background(), stdio, args)
}

var (
	requestPattern = regexp.MustCompile(`request="[^"]*"`)
	epochPattern   = regexp.MustCompile(`\b1[0-9]{9}\b`)
	datePattern    = regexp.MustCompile(`[A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-9]?[0-9] [0-9:]{8} [0-9]{4}|[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8}`)
)

func maskRequest(s string) string { return requestPattern.ReplaceAllString(s, `request=""`) }

// recent bounds how long a run may take.
const recent = 10 * time.Minute

// maskTimes puts a word in the place of instants of this run.
func maskTimes(s string, began time.Time) string {
	near := func(at time.Time) bool { return at.Sub(began).Abs() < recent }
	s = epochPattern.ReplaceAllStringFunc(s, func(m string) string {
		if n, err := strconv.ParseInt(m, 10, 64); err == nil && near(time.Unix(n, 0)) {
			return "NOW"
		}
		return m
	})
	return datePattern.ReplaceAllStringFunc(s, func(m string) string {
		for _, form := range []string{time.ANSIC, time.DateTime} {
			if at, err := time.Parse(form, m); err == nil && near(at) {
				return "NOW"
			}
		}
		return m
	})
}

// asTheClassicToolNests brings our XML into the classic tool's form where events
// were asked for: it puts them beside the element modifications, where the
// schema wants them within, and loses all that would follow.
func asTheClassicToolNests(t *testing.T, text string) string {
	t.Helper()
	root, err := document.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	out := etree.NewElement(root.Tag)
	out.Attr = root.Attr
	for _, e := range root.ChildElements() {
		switch e.Tag {
		case "cluster_status", "status":
			out.AddChild(document.Clone(e))
		case "modifications":
			empty := etree.NewElement(e.Tag)
			empty.Attr = e.Attr
			out.AddChild(empty)
			for _, k := range e.ChildElements() {
				out.AddChild(document.Clone(k))
			}
		}
	}
	return string(document.Format(out))
}

// TestWrongUseIsRefusedAsTheClassicToolDoes compares exit codes and the first
// words of complaint.
func TestWrongUseIsRefusedAsTheClassicToolDoes(t *testing.T) {
	real := needReal(t)
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	cib := func(with, more string) string {
		return fmt.Sprintf(`<cib %s admin_epoch="0" epoch="1" num_updates="0"><configuration><crm_config/><nodes><node id="1" uname="n1"/></nodes>`+
			`<resources><primitive id="a" class="ocf" provider="pacemaker" type="Dummy"/></resources><constraints/>%s</configuration><status/></cib>`, with, more)
	}
	good := write("good.xml", cib(`validate-with="pacemaker-3.9"`, ""))
	for _, args := range [][]string{
		{"-x", dir + "/none.xml"},
		{"-x", write("text.xml", "no xml at all")},
		{"-x", write("torn.xml", "<cib><configuration>")},
		{"-x", write("empty.xml", "")},
		{"-x", write("unknown.xml", cib(`validate-with="pacemaker-9.9"`, ""))},
		{"-x", write("without.xml", cib("", ""))},
		{"-S", "-x", write("unchecked.xml", cib(`validate-with="none"`, ""))},
		{"-x", write("invalid.xml", cib(`validate-with="pacemaker-4.0"`, "<nonsense/>"))},
		{"-x", good, "-Z"},
		{"-x", good, "--nonsense"},
		{"-x", good, "-N", "x"},
		{"-x"},
		{"-P"},
		{"-x", good, "more", "words"},
		{"-x", good, "-i", "a"},
		{"-x", good, "-i", "a@"},
		{"-x", good, "-i", "@n1=1"},
		{"-x", good, "-i", "a_monitor_0@n1"},
		{"-x", good, "-i", "a_monitor_0@n1=x"},
		{"-x", good, "-i", "nosuch_monitor_0@n1=7"},
		{"-x", good, "-F", "a_start_0@n1=x", "-u", "n1"},
		{"-x", good, "-I", dir + "/no/such"},
		{"-x", good, "-O", dir + "/no/such"},
		{"-x", good, "-G", dir + "/no/such"},
		{"-x", good, "-D", dir + "/no/such"},
		{"-x", good, "--output-as=json"},
		{"-x", dir + "/none.xml", "--output-as=xml"},
		{"-x", good, "-i", "a", "--output-as=xml"},
		{"-P", dir + "/none"},
	} {
		t.Run(strings.ReplaceAll(strings.Join(args, " "), dir+"/", ""), func(t *testing.T) {
			var want, got answer
			var wantOut, wantErr, gotOut, gotErr bytes.Buffer
			want.Code = runReal(t, real, args, nil, &wantOut, &wantErr)
			got.Code = runOurs(args, nil, &gotOut, &gotErr)
			want.Stdout, got.Stdout = maskRequest(wantOut.String()), maskRequest(gotOut.String())
			want.Stderr, got.Stderr = wantErr.String(), gotErr.String()
			if strings.Contains(got.Stdout, "<modifications") && strings.HasPrefix(got.Stdout, "<pace") {
				got.Stdout = asTheClassicToolNests(t, got.Stdout)
			}
			if strings.HasPrefix(got.Stderr, want.Stderr) || strings.Contains(want.Stderr, "Relax-NG") && got.Stderr != "" {
				got.Stderr = want.Stderr // ours may say more, and words faults of the schema itself
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("-classic +ours\n%s", d)
			}
		})
	}
}

// durationPattern is a time that a run took.
var durationPattern = regexp.MustCompile(`[0-9]+\.[0-9]+( secs|")`)

// TestProfilesHaveTheClassicShape compares all but the times.
func TestProfilesHaveTheClassicShape(t *testing.T) {
	real := needReal(t)
	files, err := filepath.Glob(filepath.Join(corpusXML, "simple*.xml"))
	if err != nil || len(files) == 0 {
		t.Skip("no conformance corpus beside the module")
	}
	dir := t.TempDir()
	for i, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprintf("state-%d%s", i, []string{".xml", ".bak", ".XML"}[i%3])
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"-P", dir},
		{"-P", dir, "-N", "2"},
		{"--profile", dir, "--output-as=xml"},
		{"-P", dir, "-N", "0"},
		{"-P", dir, "-t", "2031-01-01"},
		{"-P", dir, "-Q"},
		{"-P", dir, "-s"},
	} {
		var want, got answer
		var wantOut, wantErr, gotOut, gotErr bytes.Buffer
		want.Code = runReal(t, real, args, nil, &wantOut, &wantErr)
		got.Code = runOurs(args, nil, &gotOut, &gotErr)
		mask := func(s string) string { return durationPattern.ReplaceAllString(maskRequest(s), "TIME$1") }
		want.Stdout, got.Stdout = mask(wantOut.String()), mask(gotOut.String())
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: -classic +ours\n%s", strings.Join(args[2:], " "), d)
		}
	}
}
