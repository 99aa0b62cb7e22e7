package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/callward/callward/internal/config"
)

// rootCommand is the whole command tree.
func rootCommand(m *Main) *cobra.Command {
	root := &cobra.Command{
		Use:   "callward",
		Short: "Make an Asterisk phone system follow the rules for patients' calls",
		Long: `Callward attaches to live calls on an Asterisk and greets, identifies, asks for consent, connects,
records and proves what it did. It enforces and evidences rules; compliance stays with the organisation.

Exit codes: 0 done, 1 failed, 2 wrong command line, configuration or input, 3 denied by policy.`,
		Example: `  callward init --dir "$PWD/site" --officer-identity "$PWD/officer.identity"
  callward doctor
  callward serve`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.PersistentFlags().StringVar(&m.configPath, "config", "",
		"configuration file (default CALLWARD_CONFIG, else "+config.DefaultPath+")")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage("%w; see \"%s --help\"", err, cmd.CommandPath())
	})
	root.AddCommand(
		initCommand(m),
		serveCommand(m),
		demoCommand(m),
		doctorCommand(m),
		patientCommand(m),
		agentCommand(m),
		recordingCommand(m),
		auditCommand(m),
		keyCommand(m),
		policyCommand(m),
		versionCommand(m),
	)
	strict(root)
	return root
}

// strict makes a command that only groups others refuse to run without one of them, and every argument
// error name the help.
func strict(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		strict(sub)
	}
	cmd.DisableFlagsInUseLine = true
	if cmd.HasSubCommands() && cmd.Run == nil && cmd.RunE == nil {
		cmd.Args = cobra.ArbitraryArgs
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			hint := ""
			if like := cmd.SuggestionsFor(args[0]); len(like) > 0 {
				hint = "; did you mean " + strings.Join(like, " or ") + "?"
			}
			return usage("%q is not a command of %s%s; see \"%s --help\"", args[0], cmd.CommandPath(), hint, cmd.CommandPath())
		}
		cmd.SuggestionsMinimumDistance = 2
		return
	}
	check := cmd.Args
	if check == nil {
		check = cobra.NoArgs
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if check(cmd, args) != nil {
			return usage("%d arguments do not fit; write %s; see \"%s --help\"", len(args), cmd.UseLine(), cmd.CommandPath())
		}
		return nil
	}
}

// file is the path of the configuration: the flag, the environment, the default.
func (m *Main) file() string {
	return cmp.Or(m.configPath, m.getenv("CALLWARD_CONFIG"), config.DefaultPath)
}

func (m *Main) getenv(name string) string {
	for _, entry := range m.Env {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}

// config loads and checks the configuration.
func (m *Main) config() (*config.Config, error) {
	c, err := config.Load(m.file(), m.Env)
	if err != nil {
		return nil, exitError{exitUsage, err}
	}
	return c, nil
}

// logger writes to standard error as the configuration asks.
func (m *Main) logger(c config.Log) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		level = slog.LevelInfo
	}
	options := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(m.Stderr, options))
	}
	return slog.New(slog.NewTextHandler(m.Stderr, options))
}

// printJSON writes one indented document.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// table writes rows in columns; the first row is the heading.
func table(w io.Writer, rows [][]string) error {
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(tw, strings.TrimRight(strings.Join(row, "\t"), "\t"))
	}
	return tw.Flush()
}
