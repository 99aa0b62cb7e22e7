package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/callward/callward/internal/config"
	"github.com/callward/callward/internal/importer"
	"github.com/callward/callward/storage"
)

// imported is what "patient import --json" prints.
type imported struct {
	OK bool `json:"ok"` // no row was refused
	importer.Report
}

func patientImportCommand(m *Main) *cobra.Command {
	o := importer.Options{}
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "import PATH...",
		Short: "Import patients, visits and invoices from FHIR R4 or CSV",
		Long: `Import patients, visits and invoices from files, or folders of them: FHIR R4 (a Bundle, one resource, or
NDJSON as bulk exports are made: Patient, and Encounter as visits) and CSV. Files are read twice, so they
cannot be pipes.

A row that cannot be used is reported with file, line and reason, never with its content; the others are kept,
or with --atomic none. Importing the same again changes nothing.

CSV columns, in any order:
  patients  record_number, family, given, birth_date, phones, street, city, state, zip, language, deceased,
            member_id, account
  visits    record_number, date, status, visit
  invoices  record_number, invoice, date, status

Exit codes: 0 every row was used, 1 some were refused.`,
		Example: `  callward patient import Patient.ndjson Encounter.ndjson
  callward patient import --atomic export/`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return m.withStore(cmd, func(ctx context.Context, _ *config.Config, store storage.Store) error {
				bar := newProgress(m.Stderr, "")
				o.Store, o.Actor, o.Clock, o.Rand = store, actor(), m.Now, m.Rand
				o.Progress = func(p importer.Progress) {
					if p.Total > 0 {
						bar.line(fmt.Sprintf("%3d%% read, %d rows", min(100, p.Done*100/p.Total), p.Rows))
					}
				}
				report, err := importer.Import(ctx, o, args...)
				bar.end()
				if err != nil && !errors.Is(err, importer.ErrRejected) {
					if ctx.Err() != nil {
						fmt.Fprintln(m.Stderr, "callward: what was committed stays; import again to go on from there")
					}
					return err
				}
				if printErr := m.printImport(report, asJSON); printErr != nil && err == nil {
					return printErr
				}
				return err
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.System, "system", importer.DefaultSystem, "name of the source; records of different systems are different records")
	f.BoolVar(&o.Atomic, "atomic", false, "keep all or nothing")
	f.BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

// printImport prints the report; a refused row makes the exit code 1.
func (m *Main) printImport(r importer.Report, asJSON bool) error {
	if asJSON {
		if err := printJSON(m.Stdout, imported{r.Refused == 0, r}); err != nil {
			return err
		}
	} else {
		rows := [][]string{{"", "WRITTEN", "UNCHANGED"}}
		for _, kind := range []struct {
			name string
			t    importer.Tally
		}{{"patients", r.Patients}, {"visits", r.Visits}, {"invoices", r.Invoices}} {
			rows = append(rows, []string{kind.name, fmt.Sprint(kind.t.Written), fmt.Sprint(kind.t.Unchanged)})
		}
		if err := table(m.Stdout, rows); err != nil {
			return err
		}
		printProblems(m.Stderr, "refused", r.Refused, r.Bad)
		printProblems(m.Stderr, "left out", r.Noted, r.Notes)
		if len(r.Ignored) > 0 {
			var kinds []string
			for _, kind := range slices.Sorted(maps.Keys(r.Ignored)) {
				kinds = append(kinds, fmt.Sprintf("%d %s", r.Ignored[kind], kind))
			}
			fmt.Fprintf(m.Stderr, "ignored resources: %s\n", strings.Join(kinds, ", "))
		}
	}
	if r.Refused > 0 {
		return exitError{code: exitFail}
	}
	return nil
}

// shown bounds what is printed of a long list; --json has more.
const shown = 20

func printProblems(w io.Writer, word string, count int, list []importer.Problem) {
	for _, p := range list[:min(shown, len(list))] {
		fmt.Fprintf(w, "%s: %s\n", word, p)
	}
	if count > shown {
		fmt.Fprintf(w, "%s: %d in all; see --json\n", word, count)
	}
}
