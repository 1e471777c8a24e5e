// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package pack

import (
	"bytes"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/quorate/quorate/internal/hammer"
)

const limit = 1 << 20

// unpack takes all messages out of a row of payloads.
func unpack(t *rapid.T, a *Assembly, payloads [][]byte) [][]byte {
	var out [][]byte
	for _, p := range payloads {
		r := NewReader(p, limit)
		for {
			msg, ok, err := r.Next(a)
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			out = append(out, bytes.Clone(msg))
		}
	}
	return out
}

func drawMessages(t *rapid.T) [][]byte {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) []byte {
		n := rapid.OneOf(rapid.IntRange(0, 40), rapid.IntRange(0, 3000)).Draw(t, "size")
		b := bytes.Repeat([]byte{rapid.Byte().Draw(t, "fill")}, n)
		for i := range b {
			b[i] += byte(i)
		}
		return b
	}), 0, 30).Draw(t, "messages")
}

func TestMessagesComeOutAsTheyWentIn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		msgs := drawMessages(t)
		capacity := rapid.IntRange(MinCapacity, 2000).Draw(t, "capacity")
		var q Queue
		var payloads [][]byte
		for i, m := range msgs {
			q.Push(m)
			if rapid.IntRange(0, 3).Draw(t, "send") == 0 || i == len(msgs)-1 {
				for q.Len() > 0 {
					p := q.Next(nil, capacity)
					if len(p) == 0 || len(p) > capacity {
						t.Fatalf("payload of %d bytes for a capacity of %d", len(p), capacity)
					}
					payloads = append(payloads, p)
				}
			}
		}
		if q.Bytes() != 0 || q.Len() != 0 {
			t.Fatalf("empty queue counts %d bytes, %d messages", q.Bytes(), q.Len())
		}
		var a Assembly
		got := unpack(t, &a, payloads)
		if len(got) != len(msgs) {
			t.Fatalf("%d messages, want %d", len(got), len(msgs))
		}
		for i := range msgs {
			if !bytes.Equal(got[i], msgs[i]) {
				t.Fatalf("message %d differs", i)
			}
		}
	})
}

func TestARestartSendsTheMessageWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		msg := bytes.Repeat([]byte("quorate "), rapid.IntRange(20, 200).Draw(t, "size"))
		var q Queue
		q.Push(msg)
		before := q.Bytes()
		lost := q.Next(nil, 100)
		q.Restart()
		if q.Bytes() != before {
			t.Fatalf("%d bytes wait, want %d", q.Bytes(), before)
		}
		payloads := [][]byte{lost} // it arrived in the old configuration, and was not dropped there
		for q.Len() > 0 {
			payloads = append(payloads, q.Next(nil, 100))
		}
		var a Assembly
		if got := unpack(t, &a, payloads); len(got) != 1 || !bytes.Equal(got[0], msg) {
			t.Fatalf("got %d messages", len(got))
		}
	})
}

func TestAGapDropsTheMessageWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q Queue
		msgs := [][]byte{bytes.Repeat([]byte{1}, 500), bytes.Repeat([]byte{2}, 500), []byte("small")}
		for _, m := range msgs {
			q.Push(m)
		}
		var payloads [][]byte
		for q.Len() > 0 {
			payloads = append(payloads, q.Next(nil, 120))
		}
		drop := rapid.IntRange(0, len(payloads)-1).Draw(t, "drop")
		var a Assembly
		got := unpack(t, &a, append(payloads[:drop:drop], payloads[drop+1:]...))
		for _, g := range got {
			whole := false
			for _, m := range msgs {
				whole = whole || bytes.Equal(g, m)
			}
			if !whole {
				t.Fatalf("a message of %d bytes that nobody sent", len(g))
			}
		}
		if len(got) < 1 {
			t.Fatal("one lost packet took all messages")
		}
	})
}

func TestSmallMessagesShareAPacket(t *testing.T) {
	var q Queue
	for range 10 {
		q.Push([]byte("0123456789"))
	}
	if p := q.Next(nil, 1000); len(p) != 140 || q.Len() != 0 {
		t.Errorf("%d bytes, %d messages left", len(p), q.Len())
	}
}

func TestMalformedPayloadsEndTheReader(t *testing.T) {
	word := func(ws ...uint32) (b []byte) {
		for _, w := range ws {
			b = le.AppendUint32(b, w)
		}
		return b
	}
	for name, p := range map[string][]byte{
		"half a word":            {1, 2},
		"longer than the packet": word(flagFirst | flagLast | 9),
		"cut without its head":   word(flagFirst|1, 7),
		"beyond the total":       word(flagLast|4, 6, 4, 0),
		"larger than allowed":    word(flagFirst|4, limit+1, 0, 0),
		"first but not at 0":     word(flagFirst|4, 20, 4, 0),
		"at 0 but not first":     word(4, 20, 0, 0),
		"last but not the end":   word(flagLast|4, 20, 4, 0),
		"at the end but no last": word(4, 8, 4, 0),
	} {
		r := NewReader(p, limit)
		if _, ok, err := r.Next(&Assembly{}); ok || !errors.Is(err, ErrPayload) {
			t.Errorf("%s: ok %v, %v", name, ok, err)
		}
	}
}

// seeds has payloads of whole and cut messages.
func seeds() (out [][]byte) {
	var q Queue
	q.Push([]byte("hello"))
	q.Push(bytes.Repeat([]byte("x"), 300))
	for q.Len() > 0 {
		out = append(out, q.Next(nil, 100))
	}
	return out
}

func FuzzReader(f *testing.F) {
	for _, p := range seeds() {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, payload []byte) { reads(t, payload) })
}

func reads(t testing.TB, payload []byte) {
	t.Helper()
	var a Assembly
	total := 0
	for range 2 {
		r := NewReader(payload, limit)
		for {
			msg, ok, err := r.Next(&a)
			if err != nil || !ok {
				break
			}
			total += len(msg)
		}
	}
	if total > 2*len(payload) || a.buf.Len() > 2*len(payload) {
		t.Errorf("%d bytes out of %d", total, len(payload))
	}
}

func TestReaderHammered(t *testing.T) {
	hammer.Run(t, "FuzzReader", func(b []byte) { reads(t, b) }, seeds()...)
}
