package main

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/callward/callward/internal/config"
	"github.com/callward/callward/storage"
)

func auditCommand(m *Main) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "List, verify and sign the audit log",
	}
	cmd.AddCommand(auditListCommand(m), auditVerifyCommand(m), auditCheckpointCommand(m))
	return cmd
}

// auditLine is one entry as "audit list --json" prints it, one line each.
type auditLine struct {
	Number  int64             `json:"number"`
	At      time.Time         `json:"at"`
	Actor   string            `json:"actor"`
	Call    string            `json:"call,omitempty"`
	Patient storage.PatientID `json:"patient,omitempty"`
	Action  string            `json:"action"`
	Outcome storage.Outcome   `json:"outcome"`
	Rules   []string          `json:"rules,omitempty"`
	Profile string            `json:"profile,omitempty"`
	Detail  map[string]string `json:"detail,omitempty"`
}

func auditListCommand(m *Main) *cobra.Command {
	var asJSON bool
	var filter storage.EntryFilter
	var outcome, patient string
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List entries, oldest first: the last hundred, or those asked for",
		Example: "  callward audit list --call 1700000000.42\n  callward audit list --outcome deny --json",
		RunE: func(cmd *cobra.Command, args []string) error {
			if outcome != "" && outcome != "allow" && outcome != "deny" && outcome != "event" {
				return usage("--outcome %q is not known: write allow, deny or event", outcome)
			}
			filter.Outcome, filter.Patient = storage.Outcome(outcome), storage.PatientID(patient)
			filter.Last = filter.After == 0
			return m.withStore(cmd, func(ctx context.Context, _ *config.Config, store storage.Store) error {
				lines := []auditLine{}
				err := store.View(ctx, func(tx storage.Tx) error {
					entries, err := tx.Entries(filter)
					for _, e := range entries {
						lines = append(lines, auditLine{e.Number, e.Entry.At, e.Entry.Actor, e.Entry.Call, e.Entry.Patient,
							e.Entry.Action, e.Entry.Outcome, e.Entry.Rules, e.Entry.Profile, e.Entry.Detail})
					}
					return err
				})
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(m.Stdout, lines)
				}
				rows := [][]string{{"ENTRY", "TIME", "ACTOR", "CALL", "ACTION", "OUTCOME", "RULES"}}
				for _, l := range lines {
					rows = append(rows, []string{strconv.FormatInt(l.Number, 10), l.At.Format("2006-01-02T15:04:05.000Z"), l.Actor,
						orDash(l.Call), l.Action, string(l.Outcome), strings.Join(l.Rules, ",")})
				}
				return table(m.Stdout, rows)
			})
		},
	}
	f := cmd.Flags()
	f.BoolVar(&asJSON, "json", false, "print as JSON")
	f.StringVar(&filter.Call, "call", "", "of this call only")
	f.StringVar(&patient, "patient", "", "about this patient (pseudonym) only")
	f.StringVar(&filter.Actor, "actor", "", "by this actor only, such as callward or cli:NAME")
	f.StringVar(&filter.Action, "action", "", "of this action only, such as StartRecording")
	f.StringVar(&outcome, "outcome", "", "allow, deny or event")
	f.StringVar(&filter.Rule, "rule", "", "that name this rule only")
	f.Int64Var(&filter.After, "after", 0, "begin after this entry instead of showing the last ones")
	f.IntVar(&filter.Limit, "limit", 100, "at most this many; 0 for all")
	return cmd
}
