// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package e2e

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quorate/quorate/test/e2e/lab"
)

// Row 8: 200 writes from three nodes at once while one of them is killed: every
// acknowledged one is there afterwards, everywhere.
func TestAcknowledgedWritesSurviveTheLossOfANode(t *testing.T) {
	for _, killDC := range []bool{true, false} {
		t.Run(map[bool]string{true: "the DC dies", false: "another node dies"}[killDC], func(t *testing.T) {
			c := startedCluster(t, 3)
			c.configure(c.Node(1), noFencing)
			victim := c.dc()
			if !killDC {
				victim = c.other(victim)
			}
			c.writesDuringLoss(victim)
		})
	}
}

func (c *cluster) writesDuringLoss(victim *lab.Node) {
	t := c.t
	const each = 67
	acked := make([]*lines, 0, c.size)
	var wg sync.WaitGroup
	began := time.Now()
	for _, n := range c.members() {
		a := &lines{}
		acked = append(acked, a)
		wg.Go(func() { n.Output(t.Context(), a, "sh", "-c", writer(n.Name, each)) })
	}
	lab.Until(t, settleTimeout, "the victim's tenth write", func() error {
		for i, n := range c.members() {
			if got := len(acked[i].all()); n == victim && got < 10 {
				return fmt.Errorf("%d writes", got)
			}
		}
		return nil
	})
	victim.Kill()
	wg.Wait()
	c.figure("200 writes from three nodes, one of which dies", time.Since(began))
	total := 0
	for i, n := range c.members() {
		got := len(acked[i].all())
		total += got
		if n != victim && got < each*9/10 {
			t.Errorf("%s: only %d of %d writes were acknowledged", n.Name, got, each)
		}
	}
	t.Logf("%d writes acknowledged", total)
	c.boot(victim)
	c.awaitOnline(c.members()...)
	c.sameCIB()
	for _, n := range c.members() {
		text := c.run(n, "cibadmin", "-Q", "-l", "-o", "crm_config")
		for i := range acked {
			for _, id := range acked[i].all() {
				if !strings.Contains(text, `id="`+id+`"`) {
					t.Errorf("%s has lost the acknowledged write %s", n.Name, id)
				}
			}
		}
	}
}

// writer is a shell program that makes writes and prints the name of each that
// was acknowledged.
func writer(node string, count int) string {
	return fmt.Sprintf(`i=0
while [ $i -lt %d ]; do
  i=$((i+1)); id=w-%s-$i
  cibadmin -M -c -o crm_config -X "<cluster_property_set id=\"writes\"><nvpair id=\"$id\" name=\"$id\" value=\"$i\"/></cluster_property_set>" 2>/dev/null >/dev/null && echo $id
done`, count, node)
}

// lines collects what is written, by whole lines.
type lines struct {
	mu   sync.Mutex
	text strings.Builder // guarded by mu
}

// Write implements io.Writer.
func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := l.text.String()
	end := strings.LastIndexByte(text, '\n') // what follows may be half a name
	return strings.Fields(text[:end+1])
}
