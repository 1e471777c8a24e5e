// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package metadata

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/quorate/quorate/internal/clock"
)

func TestCacheAsksOnceUntilTheFileChanges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c := NewCache(clock.NewManual(time.Unix(0, 0)))
	asked := 0
	ask := func(context.Context) (string, error) { asked++; return "x", nil }
	for range 3 {
		if text, err := c.Get(t.Context(), path, ask); text != "x" || err != nil {
			t.Fatal(text, err)
		}
	}
	if err := os.WriteFile(path, []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Get(t.Context(), path, ask); err != nil || asked != 2 {
		t.Errorf("asked %d times: %v", asked, err)
	}
	if _, err := c.Get(t.Context(), path+"x", ask); err == nil {
		t.Error("metadata of a file that is not there")
	}
}

func TestAgentThatFailsIsLeftAloneForAWhile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ck := clock.NewManual(time.Unix(0, 0))
	c := NewCache(ck)
	asked, broken := 0, errors.New("broken")
	ask := func(context.Context) (string, error) { asked++; return "", broken }
	for range 3 {
		if _, err := c.Get(t.Context(), path, ask); !errors.Is(err, broken) {
			t.Fatal(err)
		}
	}
	if asked != 1 {
		t.Errorf("asked %d times at once", asked)
	}
	ck.Advance(askAgainAfter)
	if _, err := c.Get(t.Context(), path, ask); !errors.Is(err, broken) || asked != 2 {
		t.Errorf("asked %d times: %v", asked, err)
	}
}

func TestWhoeverWaitsForAnotherToAskMayGiveUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c := NewCache(nil)
	asking, answer, done := make(chan struct{}), make(chan struct{}), make(chan string)
	go func() {
		text, _ := c.Get(context.Background(), path, func(context.Context) (string, error) {
			close(asking)
			<-answer
			return "late", nil
		})
		done <- text
	}()
	<-asking
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Get(ctx, path, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(answer)
	if text := <-done; text != "late" {
		t.Errorf("%q", text)
	}
}
