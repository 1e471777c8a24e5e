// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package bzip2

import (
	"bytes"
	"compress/bzip2"
	"io"
	"testing"

	"pgregory.net/rapid"
)

func check(t interface{ Fatalf(string, ...any) }, data []byte) {
	got, err := io.ReadAll(bzip2.NewReader(bytes.NewReader(Compress(data))))
	if err != nil || !bytes.Equal(got, data) {
		t.Fatalf("%d bytes became %d, %v", len(data), len(got), err)
	}
}

func TestWhatIsCompressedReadsBack(t *testing.T) {
	long := bytes.Repeat([]byte("<primitive id=\"r\" class=\"ocf\"/>\n"), 40_000)
	for i := range long {
		if i%97 == 0 {
			long[i] = byte(i)
		}
	}
	for _, data := range [][]byte{nil, {0}, []byte("a"), bytes.Repeat([]byte{'x'}, 1_000_000), bytes.Repeat([]byte("ab"), 3000), long} {
		check(t, data)
	}
	if n := len(Compress(long)); n > len(long)/4 {
		t.Errorf("%d bytes became %d", len(long), n)
	}
}

func TestAnyDataReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		unit := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "unit")
		check(t, bytes.Repeat(unit, rapid.IntRange(1, 50).Draw(t, "times")))
	})
}

func FuzzCompress(f *testing.F) {
	f.Add([]byte("banana"))
	f.Fuzz(func(t *testing.T, data []byte) { check(t, data) })
}

func BenchmarkCompress(b *testing.B) {
	data := bytes.Repeat([]byte("<lrm_rsc_op id=\"web_last_0\" rc-code=\"0\" call-id=\"12\"/>\n"), 2000)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		Compress(data)
	}
}
