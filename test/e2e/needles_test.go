package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callward/callward/internal/g711"
	"github.com/callward/callward/internal/lab/softphone"
)

// search looks for needles in every file under dir.
func search(t *testing.T, dir string, needles []needle) (found []string, files int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		for _, n := range needles {
			if bytes.Contains(data, n.bytes) {
				found = append(found, strings.TrimPrefix(path, dir)+" holds "+n.what)
			}
		}
		return nil
	})
	require.NoError(t, err)
	return found, files
}

// TestSearchFinds plants each kind of leak and sees it found.
func TestSearchFinds(t *testing.T) {
	voice := softphone.Speech(99, 3*time.Second)
	needles := append(encodings("03141971"), audio(voice)...)
	require.Greater(t, len(needles), 8)
	for i, planted := range [][]byte{
		[]byte("entered 03141971 ok"),
		[]byte(base64.StdEncoding.EncodeToString([]byte("dob=03141971;"))),
		[]byte(hex.EncodeToString([]byte("x03141971"))),
		utf16("key 03141971"),
		g711.EncodeAll(voice),
	} {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "planted"), planted, 0o600))
		found, _ := search(t, dir, needles)
		require.NotEmpty(t, found, "plant %d", i)
	}
}

// needle is something that must be in no file.
type needle struct {
	what  string
	bytes []byte
}

// encodings of a text: raw, upper case, UTF-16, hex, base64 at each phase, URL,
// and digits apart as a log of single keys would have them.
func encodings(text string) []needle {
	out := []needle{
		{"a planted text", []byte(text)},
		{"a planted text in capitals", []byte(strings.ToUpper(text))},
		{"a planted text in hex", []byte(hex.EncodeToString([]byte(text)))},
		{"a planted text in UTF-16", utf16(text)},
	}
	if escaped := url.QueryEscape(text); escaped != text {
		out = append(out, needle{"a planted text in a URL", []byte(escaped)})
	}
	for phase := range 3 {
		// The characters that depend on the text alone.
		enc := base64.StdEncoding.EncodeToString(append(make([]byte, phase), text...))
		from, to := (phase*8+5)/6, (phase+len(text))*8/6
		if to-from >= 6 {
			out = append(out, needle{"a planted text in base64", []byte(enc[from:to])})
		}
	}
	return out
}

func utf16(text string) []byte {
	out := make([]byte, 0, 2*len(text))
	for _, r := range text {
		out = binary.LittleEndian.AppendUint16(out, uint16(r))
	}
	return out
}

// audio is runs of 10 ms from the loudest places of a voice, as mu-law and as
// linear PCM: what any plain recorder would write.
func audio(pcm []int16) []needle {
	var out []needle
	for at := 4000; at+80 <= len(pcm); at += 4000 {
		ulaw := g711.EncodeAll(pcm[at : at+80])
		if varied(ulaw) < 20 {
			continue
		}
		out = append(out, needle{"plain audio in mu-law", ulaw})
		linear := make([]byte, 0, 160)
		for _, s := range g711.DecodeAll(ulaw) {
			linear = binary.LittleEndian.AppendUint16(linear, uint16(s))
		}
		out = append(out, needle{"plain audio in linear PCM", linear})
	}
	return out
}

func varied(b []byte) int {
	seen := map[byte]bool{}
	for _, c := range b {
		seen[c] = true
	}
	return len(seen)
}
