// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package journal

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/quorate/quorate/lrmd"
	"github.com/quorate/quorate/lrmd/queue"
)

// TestJournalSaysWhatTheQueueKnows drives a queue at random: what its changes
// add up to in a journal is what the queue itself would save.
func TestJournalSaysWhatTheQueueKnows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		core := queue.New(queue.Config{MaxOnce: 2, MaxRecurring: 2, MaxOps: 50})
		var file bytes.Buffer
		var runs []queue.Run
		now := time.Duration(0)
		apply := func(out []queue.Output) {
			for _, o := range out {
				switch o := o.(type) {
				case queue.Start:
					runs = append(runs, o.Run)
				case queue.Save:
					c := o.Change
					b, err := json.Marshal(record{Accepted: c.Accepted, Call: c.CallID, Result: c.Result, Dropped: c.Dropped, Forgotten: c.Forgotten})
					if err != nil {
						t.Fatal(err)
					}
					file.Write(append(b, '\n'))
				}
			}
		}
		key := func(t *rapid.T) queue.Key {
			return queue.Key{
				Resource: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "resource"),
				Action:   rapid.SampledFrom([]string{"start", "monitor"}).Draw(t, "action"),
				Interval: rapid.SampledFrom([]time.Duration{0, time.Second}).Draw(t, "interval"),
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"submit": func(t *rapid.T) {
				k := key(t)
				_, out, err := core.Submit(now, op(k.Resource, k.Action, k.Interval))
				if err != nil {
					t.Skip(err)
				}
				apply(out)
			},
			"cancel": func(t *rapid.T) {
				_, out := core.Cancel(now, key(t))
				apply(out)
			},
			"forget": func(t *rapid.T) { apply(core.Forget(now, key(t).Resource)) },
			"finish": func(t *rapid.T) {
				if len(runs) == 0 {
					t.Skip("nothing runs")
				}
				r := rapid.SampledFrom(runs).Draw(t, "run")
				runs = slices.DeleteFunc(runs, func(o queue.Run) bool { return o == r })
				apply(core.Finished(now, r, queue.Outcome{ExitCode: lrmd.ExitCode(rapid.IntRange(0, 1).Draw(t, "rc"))}))
			},
			"tick": func(*rapid.T) {
				now += time.Second
				apply(core.Tick(now))
			},
			"": func(t *rapid.T) {
				s, err := Read(bytes.NewReader(file.Bytes()))
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(core.Saved(), s.Saved, cmpopts.EquateEmpty()); d != "" {
					t.Fatalf("queue -, journal +\n%s", d)
				}
			},
		})
	})
}
