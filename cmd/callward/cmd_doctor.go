package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/callward/callward/internal/config"
)

// finding is one line of doctor.
type finding struct {
	Check string `json:"check"`
	OK    bool   `json:"ok"`
	Saw   string `json:"saw"`
	Mend  string `json:"mend,omitempty"`
}

// doctorReport is what "doctor --json" prints.
type doctorReport struct {
	OK       bool      `json:"ok"`
	Findings []finding `json:"findings"`
}

func doctorCommand(m *Main) *cobra.Command {
	var asJSON, offline bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check configuration, keys, database, disk and Asterisk; say what mends each fault",
		Long: `Check configuration, keys, database, disk and Asterisk, and say what mends each fault. Nothing is changed.

Exit codes: 0 all well, 1 at least one fault.`,
		Example: "  callward doctor\n  callward doctor --offline --json",
		RunE: func(cmd *cobra.Command, args []string) error {
			d := &doctor{m: m}
			c, err := config.Load(m.file(), m.Env)
			if err != nil {
				d.failAll("configuration", err)
			} else {
				d.ok("configuration", "%s", m.file())
				d.local(cmd.Context(), c)
				if !offline {
					d.asterisk(cmd.Context(), c)
				}
			}
			if err := cmd.Context().Err(); err != nil {
				return err
			}
			return m.printDoctor(d.report, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	cmd.Flags().BoolVar(&offline, "offline", false, "leave Asterisk out")
	return cmd
}

func (m *Main) printDoctor(findings []finding, asJSON bool) error {
	report := doctorReport{OK: true, Findings: findings}
	for _, f := range findings {
		report.OK = report.OK && f.OK
	}
	if asJSON {
		if err := printJSON(m.Stdout, report); err != nil {
			return err
		}
	} else {
		for _, f := range findings {
			word := "OK  "
			if !f.OK {
				word = "FAIL"
			}
			fmt.Fprintf(m.Stdout, "%s  %s: %s\n", word, f.Check, f.Saw)
			if f.Mend != "" {
				fmt.Fprintf(m.Stdout, "      mend: %s\n", f.Mend)
			}
		}
	}
	if !report.OK {
		return exitError{code: exitFail}
	}
	return nil
}
