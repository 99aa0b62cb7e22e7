package main

import (
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	continued   = regexp.MustCompile(`\\\n\s*`)
	commandLine = regexp.MustCompile(`(?m)(?:^|\| )\s*callward (.*)$`)
	word        = regexp.MustCompile(`"[^"]*"|\S+`)
)

// parses holds that every line of text that begins with callward names a command, and flags it has.
func parses(t *testing.T, text string) (n int) {
	t.Helper()
	for _, m := range commandLine.FindAllStringSubmatch(continued.ReplaceAllString(text, " "), -1) {
		line, _, _ := strings.Cut(m[1], " | ")
		line, _, _ = strings.Cut(line, " > ")
		line, _, _ = strings.Cut(line, " #")
		root := rootCommand(&Main{Stdout: io.Discard, Stderr: io.Discard, Now: time.Now})
		var args []string
		for _, w := range word.FindAllString(line, -1) {
			args = append(args, strings.Trim(w, `"`))
		}
		cmd, rest, err := root.Find(args)
		require.NoError(t, err, line)
		assert.True(t, cmd.Runnable() && cmd != root, "callward %s names no command", line)
		if assert.NoError(t, cmd.ParseFlags(rest), line) {
			assert.NoError(t, cmd.Args(cmd, cmd.Flags().Args()), line)
		}
		n++
	}
	return n
}

func TestExamplesParse(t *testing.T) {
	var each func(*cobra.Command)
	each = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			each(sub)
		}
		if cmd.Name() == "completion" || cmd.Name() == "help" || cmd.HasSubCommands() && cmd.Parent() != nil {
			return
		}
		assert.NotEmpty(t, cmd.Short, cmd.CommandPath())
		assert.Positive(t, parses(t, cmd.Example), "%s has no example", cmd.CommandPath())
	}
	each(rootCommand(&Main{Stdout: io.Discard, Stderr: io.Discard, Now: time.Now}))
}

func TestReadmeParses(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	assert.Greater(t, parses(t, string(text)), 5)
}
