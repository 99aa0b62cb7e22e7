// Package lab fetches, configures, starts and stops a real Asterisk without root and
// without containers, for the demo and the tests. Its sub-packages are the scripted
// softphones (softphone) and the recognition of prompts in what they heard
// (recognise).
//
// What may never live here: anything that a production host needs, a name of a
// package mirror, or patient data that is not made up.
package lab

import (
	"context"
	"os/exec"
)

// Install is an Asterisk on this machine with the programs that go with it.
type Install struct {
	// Root is the prefix the packages were unpacked into. Empty when CALLWARD_ASTERISK
	// names an installed Asterisk.
	Root string
	// Version is Asterisk's own, "22.10.1".
	Version string
	// ModulesDir and DataDir are what asterisk.conf calls astmoddir and astdatadir.
	ModulesDir, DataDir string
	// CacheDir is where fetched and rendered things are kept between runs.
	CacheDir string

	asterisk string // the program's own path
}

// Command runs asterisk, espeak-ng or age of this Install.
func (i Install) Command(ctx context.Context, program string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, program, args...)
}
