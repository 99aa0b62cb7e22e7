package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/callward/callward/internal/config"
	"github.com/callward/callward/storage"
)

func agentCommand(m *Main) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "agent",
		Short: "Add, list and train agents; put them on and off duty",
	}
	cmd.AddCommand(agentAddCommand(m), agentListCommand(m), agentDutyCommand(m), agentTrainCommand(m))
	return cmd
}

var (
	agentID   = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)
	pjsip     = regexp.MustCompile(`^PJSIP/[A-Za-z0-9_.-]+$`)
	stateCode = regexp.MustCompile(`^[A-Z]{2}$`)
)

func agentAddCommand(m *Main) *cobra.Command {
	var a storage.Agent
	var hired string
	cmd := &cobra.Command{
		Use:   "add ID",
		Short: "Add an agent, or change one; what is not given keeps its value",
		Example: `  callward agent add alice --name "Alice Example" --endpoint PJSIP/agent-alice --state NY \
    --recording-consent --hired 2026-01-05`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !agentID.MatchString(args[0]) {
				return usage("%q is not an agent's id: use small letters, digits and -, at most 32", args[0])
			}
			return m.withStore(cmd, func(ctx context.Context, c *config.Config, store storage.Store) error {
				id := storage.AgentID(args[0])
				return m.changeAgent(ctx, store, id, true, "agent.put", func(on *storage.Agent) error {
					return mergeAgent(cmd, on, a, hired, c.Organisation.Location())
				})
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&a.Name, "name", "", "full name; needed for a new agent")
	f.StringVar(&a.SpokenName, "spoken-name", "", "the name as the machine says it to patients (default the full name)")
	f.StringVar(&a.Endpoint, "endpoint", "", "as Asterisk dials the agent's phone, PJSIP/name; needed for a new agent")
	f.StringVar(&a.State, "state", "", "US state the agent works in, such as NY; unknown counts as all-party consent")
	f.StringSliceVar(&a.Languages, "language", nil, "language the agent speaks, such as en; may be repeated")
	f.BoolVar(&a.RecordingConsent, "recording-consent", false, "the agent has agreed to be recorded at work")
	f.StringVar(&hired, "hired", "", "day of hire, YYYY-MM-DD; needed for a new agent")
	return cmd
}

// mergeAgent lays the flags that were given over an agent.
func mergeAgent(cmd *cobra.Command, on *storage.Agent, a storage.Agent, hired string, loc *time.Location) error {
	given := cmd.Flags().Changed
	if given("name") {
		on.Name = a.Name
	}
	if given("spoken-name") {
		on.SpokenName = a.SpokenName
	}
	if given("endpoint") {
		on.Endpoint = a.Endpoint
	}
	if given("state") {
		on.State = a.State
	}
	if given("language") {
		on.Languages = a.Languages
	}
	if given("recording-consent") {
		on.RecordingConsent = a.RecordingConsent
	}
	if given("hired") {
		day, err := day("--hired", hired, loc)
		if err != nil {
			return err
		}
		on.HiredAt = day
	}
	switch {
	case strings.TrimSpace(on.Name) == "":
		return usage("an agent needs a name: give --name")
	case !pjsip.MatchString(on.Endpoint):
		return usage("an agent needs an endpoint: give --endpoint PJSIP/name")
	case on.HiredAt.IsZero():
		return usage("training counts from the day of hire: give --hired YYYY-MM-DD")
	case on.State != "" && !stateCode.MatchString(on.State):
		return usage("--state %q is not a US state: give two capital letters, such as NY", on.State)
	}
	return nil
}

// changeAgent reads an agent, changes it and writes it with an audit entry, in one transaction.
func (m *Main) changeAgent(ctx context.Context, store storage.Store, id storage.AgentID, create bool, action string, change func(*storage.Agent) error) error {
	var changed, isNew bool
	err := store.Update(ctx, func(tx storage.Tx) error {
		a, err := tx.Agent(id)
		isNew = errors.Is(err, storage.ErrNotFound)
		switch {
		case isNew && create:
			a = storage.Agent{ID: id}
		case isNew:
			return fmt.Errorf("there is no agent %s: see \"callward agent list\", or add one with \"callward agent add\"", id)
		case err != nil:
			return err
		}
		if err := change(&a); err != nil {
			return err
		}
		if changed, err = tx.PutAgent(a); err != nil || !changed {
			return err
		}
		_, err = tx.Audit(storage.Entry{Actor: actor(), Action: action, Outcome: storage.OutcomeEvent,
			Detail: map[string]string{"agent": string(id), "on_duty": strconv.FormatBool(a.OnDuty), "trainings": strconv.Itoa(len(a.Trainings))}})
		return err
	})
	if err != nil {
		return err
	}
	word := "changed"
	switch {
	case !changed:
		word = "unchanged"
	case isNew:
		word = "added"
	}
	_, err = fmt.Fprintf(m.Stdout, "%s: %s\n", id, word)
	return err
}

func agentListCommand(m *Main) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List agents",
		Example: "  callward agent list --json",
		RunE: func(cmd *cobra.Command, args []string) error {
			return m.withStore(cmd, func(ctx context.Context, c *config.Config, store storage.Store) error {
				var agents []storage.Agent
				err := store.View(ctx, func(tx storage.Tx) (err error) {
					agents, err = tx.Agents()
					return err
				})
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(m.Stdout, append([]storage.Agent{}, agents...))
				}
				rows := [][]string{{"ID", "NAME", "ENDPOINT", "STATE", "DUTY", "RECORDED", "TRAINED"}}
				for _, a := range agents {
					rows = append(rows, []string{string(a.ID), a.Name, a.Endpoint, orDash(a.State), onOff(a.OnDuty), yesNo(a.RecordingConsent), latestTraining(a, c.Organisation.Location())})
				}
				return table(m.Stdout, rows)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

func latestTraining(a storage.Agent, loc *time.Location) string {
	if len(a.Trainings) == 0 {
		return "never"
	}
	last := slices.MaxFunc(a.Trainings, func(x, y storage.Training) int { return x.CompletedAt.Compare(y.CompletedAt) })
	return last.CompletedAt.In(loc).Format(time.DateOnly) + " (version " + last.PolicyVersion + ")"
}

func agentDutyCommand(m *Main) *cobra.Command {
	return &cobra.Command{
		Use:     "duty ID on|off",
		Short:   "Put an agent on or off duty",
		Long:    "Put an agent on or off duty. An agent on duty is offered calls when policy finds the training current.",
		Example: "  callward agent duty alice on",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[1] != "on" && args[1] != "off" {
				return usage("duty is on or off, not %q", args[1])
			}
			return m.withStore(cmd, func(ctx context.Context, _ *config.Config, store storage.Store) error {
				return m.changeAgent(ctx, store, storage.AgentID(args[0]), false, "agent.duty", func(a *storage.Agent) error {
					a.OnDuty = args[1] == "on"
					return nil
				})
			})
		},
	}
}

func agentTrainCommand(m *Main) *cobra.Command {
	var t storage.Training
	var completed, expires string
	cmd := &cobra.Command{
		Use:     "train ID",
		Short:   "Put a passed training on record",
		Example: "  callward agent train alice --course hipaa-basics --completed 2026-02-01",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return m.withStore(cmd, func(ctx context.Context, c *config.Config, store storage.Store) error {
				loc := c.Organisation.Location()
				record := t
				if record.PolicyVersion == "" {
					record.PolicyVersion = c.Policy.TrainingVersion
				}
				record.CompletedAt = m.Now()
				var err error
				if completed != "" {
					if record.CompletedAt, err = day("--completed", completed, loc); err != nil {
						return err
					}
				}
				if record.CompletedAt.After(m.Now()) {
					return usage("--completed %s has not come yet: give the day the training was passed", completed)
				}
				if expires != "" {
					if record.ExpiresAt, err = day("--expires", expires, loc); err != nil {
						return err
					}
				}
				record.CompletedAt = record.CompletedAt.UTC().Truncate(time.Millisecond)
				if record.ExpiresAt.IsZero() {
					record.ExpiresAt = record.CompletedAt.AddDate(0, 0, 365)
				}
				if !record.ExpiresAt.After(record.CompletedAt) {
					return usage("--expires %s is not after the training: give a later day", expires)
				}
				return m.changeAgent(ctx, store, storage.AgentID(args[0]), false, "agent.train", func(a *storage.Agent) error {
					if !slices.ContainsFunc(a.Trainings, func(on storage.Training) bool {
						return on.Course == record.Course && on.PolicyVersion == record.PolicyVersion && on.CompletedAt.Equal(record.CompletedAt)
					}) {
						a.Trainings = append(a.Trainings, record)
					}
					return nil
				})
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&t.Course, "course", "hipaa", "the course")
	f.StringVar(&t.PolicyVersion, "version", "", "version of the material (default policy.training_version)")
	f.StringVar(&completed, "completed", "", "day it was passed, YYYY-MM-DD (default now)")
	f.StringVar(&expires, "expires", "", "day it ends, YYYY-MM-DD (default 365 days after it was passed)")
	return cmd
}

// day reads YYYY-MM-DD as midnight at loc.
func day(flag, text string, loc *time.Location) (time.Time, error) {
	at, err := time.ParseInLocation(time.DateOnly, text, loc)
	if err != nil {
		return time.Time{}, usage("%s %q is not a day: write YYYY-MM-DD", flag, text)
	}
	return at.UTC(), nil
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func onOff(b bool) string {
	if b {
		return "on"
	}
	return "off"
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
