// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quorate/quorate/test/e2e/bare"
	"github.com/quorate/quorate/test/e2e/lab"
)

// These tests are rows 1, 2, 3, 7 and 8 again, as far as they need no rights.

// built tells that there is something to remove at the end.
var built bool

// programs builds all programs once.
var programs = sync.OnceValues(func() (string, error) {
	built = true
	dir, err := os.MkdirTemp("", "quorate-bin-")
	if err != nil {
		return "", err
	}
	if err := os.Chmod(dir, 0o755); err != nil { // for whom the nodes are run as
		return "", err
	}
	cmd := exec.Command("go", "build", "-o", dir, "./cmd/...")
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return dir, nil
})

// bareCluster is three nodes without rights while a test uses them.
type bareCluster struct {
	*bare.Cluster
	t *testing.T
}

func startBare(t *testing.T) *bareCluster {
	t.Helper()
	if testing.Short() {
		t.Skip("no cluster in a short run")
	}
	bin, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	tree, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	c, err := bare.New(3, bin, tree)
	if err != nil {
		t.Fatal(err)
	}
	guard, err := lab.Guard(c.Dir)
	if err != nil {
		t.Fatal(err)
	}
	b := &bareCluster{c, t}
	t.Cleanup(func() {
		b.finish()
		guard.Close()
	})
	for _, n := range c.Nodes() {
		if err := n.Start(); err != nil {
			t.Fatal(err)
		}
	}
	b.awaitOnline(c.Nodes()...)
	return b
}

func (b *bareCluster) finish() {
	if b.t.Failed() {
		dir := filepath.Join(logFolder(), b.t.Name())
		_ = os.MkdirAll(dir, 0o755)
		for _, n := range b.Nodes() {
			_ = os.WriteFile(filepath.Join(dir, n.Name+".log"), []byte(n.Log()), 0o644)
		}
		b.t.Log("logs: ", dir)
	}
	if err := b.Down(); err != nil {
		b.t.Error(err)
	}
}

func (b *bareCluster) status(n *bare.Node) (*lab.Status, error) {
	out, complaint, code := n.Tool(b.t.Context(), "crm_mon", "--output-as=xml")
	if code != 0 {
		return nil, fmt.Errorf("crm_mon on %s: %d: %s", n.Name, code, complaint)
	}
	return lab.ParseStatus(out)
}

func (b *bareCluster) awaitOnline(nodes ...*bare.Node) {
	b.t.Helper()
	var want []string
	for _, n := range nodes {
		want = append(want, n.Name)
	}
	slices.Sort(want)
	lab.Until(b.t, formTimeout, "online: "+strings.Join(want, " "), func() error {
		for _, n := range nodes {
			s, err := b.status(n)
			switch {
			case err != nil:
				return err
			case !slices.Equal(s.Online(), want) || !s.Summary.DC.Present || !s.Summary.DC.Quorum:
				return fmt.Errorf("%s sees %v, DC %q, quorum %t", n.Name, s.Online(), s.Summary.DC.Name, s.Summary.DC.Quorum)
			}
		}
		return nil
	})
}

func (b *bareCluster) run(n *bare.Node, argv ...string) string {
	b.t.Helper()
	out, complaint, code := n.Tool(b.t.Context(), argv...)
	if code != 0 {
		b.t.Fatalf("%s on %s: exit code %d\n%s%s", strings.Join(argv, " "), n.Name, code, out, complaint)
	}
	return out
}

// startSite configures a web server and returns the node that serves.
func (b *bareCluster) startSite() *bare.Node {
	b.t.Helper()
	at := b.Service()
	one := b.Nodes()[0]
	b.run(one, "crm_attribute", "-n", "stonith-enabled", "-v", "false")
	b.run(one, "cibadmin", "-R", "-o", "resources", "-X", fmt.Sprintf(`<resources><primitive id="site" class="ocf" provider="quorate" type="webdemo">
<instance_attributes id="site-params"><nvpair id="site-address" name="address" value="%s"/><nvpair id="site-port" name="port" value="%d"/></instance_attributes>
<operations><op id="site-monitor" name="monitor" interval="1s" timeout="10s"/></operations></primitive></resources>`, at.Addr(), at.Port()))
	return b.served(settleTimeout)
}

var servedBy = regexp.MustCompile(`Served by node (node\d+)`)

// serves fetches the page and returns the node that answers.
func (b *bareCluster) serves() (*bare.Node, error) {
	ctx, cancel := context.WithTimeout(b.t.Context(), 300*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+b.Service().String()+"/", nil)
	if err != nil {
		return nil, err
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	page := make([]byte, 4096)
	k, _ := resp.Body.Read(page)
	if m := servedBy.FindSubmatch(page[:k]); m != nil {
		for _, n := range b.Nodes() {
			if n.Name == string(m[1]) {
				return n, nil
			}
		}
	}
	return nil, fmt.Errorf("page %q", page[:k])
}

func (b *bareCluster) served(limit time.Duration) *bare.Node {
	b.t.Helper()
	var by *bare.Node
	lab.Until(b.t, limit, "the page", func() (err error) {
		by, err = b.serves()
		return err
	})
	return by
}

// except are the nodes without one.
func (b *bareCluster) except(not *bare.Node) []*bare.Node {
	return slices.DeleteFunc(slices.Clone(b.Nodes()), func(n *bare.Node) bool { return n == not })
}

func TestRootlessClusterServesAndSurvivesTheLossOfANode(t *testing.T) {
	b := startBare(t)
	active := b.startSite()
	lab.Until(t, settleTimeout, "crm_mon says so", func() error {
		s, err := b.status(active)
		if err != nil {
			return err
		}
		return s.RunsOn("site", active.Name)
	})
	killed := time.Now()
	active.Kill()
	by := b.served(settleTimeout)
	took := time.Since(killed)
	t.Logf("FIGURE rootless: node killed: page away: %.2f s", took.Seconds())
	if by == active || took > scaled(failoverLimit) {
		t.Errorf("%s serves after %v", by.Name, took)
	}
	b.awaitOnline(b.except(active)...)
	if err := active.Start(); err != nil {
		t.Fatal(err)
	}
	b.awaitOnline(b.Nodes()...)
	if now := b.served(settleTimeout); now != by {
		t.Errorf("the site went from %s to %s when %s came back", by.Name, now.Name, active.Name)
	}
}

func TestRootlessDaemonsAreStartedAgain(t *testing.T) {
	b := startBare(t)
	active := b.startSite()
	for _, d := range daemons() {
		before := active.Log()
		if active.KillDaemon(d.name) != 1 {
			t.Fatalf("no %s to kill", d.name)
		}
		lab.Until(t, settleTimeout, d.name+" is started again", func() error {
			if !strings.Contains(active.Log()[len(before):], "starting again") {
				return errors.New("not said")
			}
			return nil
		})
		b.awaitOnline(b.Nodes()...)
		b.served(settleTimeout)
	}
}

func TestRootlessWritesFromAllNodesAreEverywhere(t *testing.T) {
	b := startBare(t)
	const each = 20
	var wg sync.WaitGroup
	for _, n := range b.Nodes() {
		wg.Go(func() {
			for i := range each {
				id := fmt.Sprintf("w-%s-%d", n.Name, i)
				_, complaint, code := n.Tool(t.Context(), "cibadmin", "-M", "-c", "-o", "crm_config", "-X",
					fmt.Sprintf(`<cluster_property_set id="writes"><nvpair id="%s" name="%[1]s" value="1"/></cluster_property_set>`, id))
				if code != 0 {
					t.Errorf("%s: %d %s", id, code, complaint)
				}
			}
		})
	}
	wg.Wait()
	for _, n := range b.Nodes() {
		if got := strings.Count(b.run(n, "cibadmin", "-Q", "-l", "-o", "crm_config"), `id="w-`); got != 3*each {
			t.Errorf("%s has %d of %d writes", n.Name, got, 3*each)
		}
	}
	lab.Until(t, settleTimeout, "the same CIB everywhere", func() error {
		first := b.run(b.Nodes()[0], "cibadmin", "-Q", "-l")
		for _, n := range b.Nodes()[1:] {
			if other := b.run(n, "cibadmin", "-Q", "-l"); other != first {
				return errors.New(firstDifference(first, other))
			}
		}
		return nil
	})
}
