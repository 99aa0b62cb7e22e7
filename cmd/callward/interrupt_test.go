package main

import (
	"bytes"
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestInterruptWhileWaitingForInput holds that Ctrl-C ends a command that waits for its standard input.
func TestInterruptWhileWaitingForInput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, w := io.Pipe()
		defer w.Close()
		ctx, interrupt := context.WithTimeout(t.Context(), time.Minute)
		defer interrupt()
		ctx, cancel := context.WithCancel(ctx)
		context.AfterFunc(ctx, func() { _ = in.CloseWithError(io.EOF) }) // lets the abandoned read end
		time.AfterFunc(time.Second, cancel)
		var stderr bytes.Buffer
		m := &Main{Stdin: in, Stdout: io.Discard, Stderr: &stderr, Now: time.Now}
		assert.Equal(t, exitInterrupted, m.Run(ctx, []string{"policy", "eval"}))
		assert.Equal(t, "callward: interrupted\n", stderr.String())
	})
}

// TestInterruptedBeforeItBegan holds that no command that reads the configuration goes on regardless.
func TestInterruptedBeforeItBegan(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	var stderr bytes.Buffer
	m := &Main{Stdin: &bytes.Buffer{}, Stdout: io.Discard, Stderr: &stderr, Now: time.Now}
	code := m.Run(ctx, []string{"init", "--dir", dir, "--name", "X", "--callback-number", "+12065550100", "--officer-identity", dir + "/officer"})
	assert.Equal(t, exitInterrupted, code)
	assert.NoFileExists(t, dir+"/keys/data.keyset")
}
