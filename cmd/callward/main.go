// Command callward makes an Asterisk phone system follow HIPAA and the calling rules that travel with it.
//
// Here live the commands, the configuration they read and the wiring of rooms to each other. Nothing is
// decided here: what may happen is policy's, how a call goes is internal/callflow's, what is kept is
// storage's. A command parses, calls one room, and prints.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/callward/callward/internal/config"
)

// version is set by the build (see Makefile).
var version = "unknown"

// Exit codes. policy eval uses exitDeny; interrupted is what a shell gives a program that Ctrl-C ended.
const (
	exitOK          = 0
	exitFail        = 1
	exitUsage       = 2
	exitDeny        = 3
	exitInterrupted = 130
)

// Main is the program with all that it takes from the world, for the binary and for tests.
type Main struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Env            []string // as os.Environ
	Now            func() time.Time
	Rand           io.Reader

	configPath string
}

func main() { os.Exit(program()) }

func program() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second Ctrl-C ends the program at once, whatever it is doing.
	context.AfterFunc(ctx, stop)
	m := &Main{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Env: os.Environ(), Now: time.Now, Rand: rand.Reader,
	}
	return m.Run(ctx, os.Args[1:])
}

// Run runs one command line and returns the exit code. Whatever went wrong is said once, here.
func (m *Main) Run(ctx context.Context, args []string) int {
	root := rootCommand(m)
	root.SetArgs(args)
	root.SetIn(m.Stdin)
	root.SetOut(m.Stdout)
	root.SetErr(m.Stderr)
	err := root.ExecuteContext(ctx)
	var code exitError
	var mistakes config.Errors
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &mistakes):
		for _, one := range mistakes {
			fmt.Fprintln(m.Stderr, "callward:", one)
		}
		return exitUsage
	case errors.As(err, &code):
		if code.err != nil {
			fmt.Fprintln(m.Stderr, "callward:", code.err)
		}
		return code.code
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		fmt.Fprintln(m.Stderr, "callward: interrupted")
		return exitInterrupted
	}
	fmt.Fprintln(m.Stderr, "callward:", err)
	return exitFail
}

// exitError ends the program with a code of its own. A nil err has been said already.
type exitError struct {
	code int
	err  error
}

func (e exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

func (e exitError) Unwrap() error { return e.err }

// usage is an error in the command line itself.
func usage(format string, args ...any) error {
	return exitError{exitUsage, fmt.Errorf(format, args...)}
}
