// Package recordingtest checks recordings against programs that are not ours. It
// needs them installed, so it is called by test/e2e, which knows where they are;
// nothing else may import it.
package recordingtest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/callward/callward/internal/recording"
)

// Age checks with the stock age program that a sealed recording opens to the
// same bytes as Open gives, with the identity file CreateIdentity makes; that of
// a recording cut short it yields what Open yields and fails; and that our
// recipients file is one of its own. command makes a call of the program.
func Age(t *testing.T, command func(args ...string) *exec.Cmd) {
	t.Helper()
	dir := t.TempDir()
	identity, recipients := filepath.Join(dir, "identity.txt"), filepath.Join(dir, "recipients.txt")
	key, err := recording.CreateIdentity(identity, time.Now())
	require.NoError(t, err)
	require.NoError(t, recording.WriteRecipients(recipients, key))
	ids, err := recording.ReadIdentities(identity)
	require.NoError(t, err)

	rec, err := recording.New(recording.Options{Dir: filepath.Join(dir, "rec"), Recipients: []age.Recipient{key}, MinFree: 1})
	require.NoError(t, err)
	begin := time.Now()
	s, err := rec.Start(recording.Header{CallID: "call", Segment: 1, ConsentID: "1"}, begin)
	require.NoError(t, err)
	at := begin
	for i := range 40 { // 8 s, two chunks and some
		at = at.Add(200 * time.Millisecond)
		s.Push(recording.TrackPatient, bytes.Repeat([]byte{byte(i)}, 1600), at)
		s.Push(recording.TrackHeard, bytes.Repeat([]byte{byte(128 + i)}, 1600), at)
	}
	res, err := s.Stop(at)
	require.NoError(t, err)
	var ours bytes.Buffer
	_, err = recording.Open(res.Path, ids, &ours)
	require.NoError(t, err)

	theirs, err := command("--decrypt", "--identity", identity, res.Path).Output()
	require.NoError(t, err)
	require.True(t, bytes.Equal(ours.Bytes(), theirs), "age and Open differ on a sealed file")

	cut := filepath.Join(dir, "cut.truncated.age")
	sealed, err := os.ReadFile(res.Path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(cut, sealed[:len(sealed)-1], 0o600))
	ours.Reset()
	_, err = recording.Open(cut, ids, &ours)
	require.ErrorIs(t, err, recording.ErrTruncated)
	theirs, err = command("--decrypt", "--identity", identity, cut).Output()
	require.Error(t, err, "age says that the end is missing")
	require.True(t, bytes.Equal(ours.Bytes(), theirs), "age and Open differ on a file cut short")

	encrypt := command("--encrypt", "--recipients-file", recipients)
	encrypt.Stdin = bytes.NewReader(ours.Bytes())
	text, err := encrypt.Output()
	require.NoError(t, err)
	again := filepath.Join(dir, "again.age")
	require.NoError(t, os.WriteFile(again, text, 0o600))
	var back bytes.Buffer
	_, err = recording.Open(again, ids, &back)
	require.NoError(t, err, "what age seals to our recipients file, our identity opens")
	require.True(t, bytes.Equal(ours.Bytes(), back.Bytes()))
}
