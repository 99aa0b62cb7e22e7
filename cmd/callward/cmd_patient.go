package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/callward/callward/internal/config"
	"github.com/callward/callward/storage"
)

func patientCommand(m *Main) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "patient",
		Short: "Import patients; list and show them by pseudonym",
		Long: `Import patients; list and show them by pseudonym. Names, dates and numbers are shown by "show --reveal" only,
which is written to the audit log first.`,
	}
	cmd.AddCommand(patientImportCommand(m), patientListCommand(m), patientShowCommand(m))
	return cmd
}

// patientRow is a patient without anything about the person.
type patientRow struct {
	ID          storage.PatientID        `json:"id"`
	Language    string                   `json:"language,omitempty"`
	Deceased    bool                     `json:"deceased,omitempty"`
	Identifiers []storage.IdentifierKind `json:"identifiers"`
	Visits      int                      `json:"visits"`
	Invoices    int                      `json:"invoices"`
}

func rowOf(tx storage.Tx, id storage.PatientID) (patientRow, error) {
	p, err := tx.Patient(id)
	if err != nil {
		return patientRow{}, err
	}
	row := patientRow{ID: p.ID, Language: p.Language, Deceased: p.Deceased, Identifiers: []storage.IdentifierKind{}}
	on := map[storage.IdentifierKind]bool{}
	for _, i := range p.Identifiers {
		on[i.Kind] = true
	}
	for _, kind := range storage.IdentifierKinds() {
		if on[kind] {
			row.Identifiers = append(row.Identifiers, kind)
		}
	}
	visits, err := tx.Visits(id)
	if err != nil {
		return row, err
	}
	invoices, err := tx.Invoices(id)
	row.Visits, row.Invoices = len(visits), len(invoices)
	return row, err
}

func patientListCommand(m *Main) *cobra.Command {
	var asJSON bool
	var limit int
	var after string
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List patients by pseudonym: which identifiers are on file, never their values",
		Example: "  callward patient list --limit 20",
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit < 1 {
				return usage("--limit %d is less than one", limit)
			}
			return m.withStore(cmd, func(ctx context.Context, _ *config.Config, store storage.Store) error {
				rows := []patientRow{}
				more := false
				err := store.View(ctx, func(tx storage.Tx) error {
					ids, err := tx.Patients(storage.PatientID(after), limit+1)
					if err != nil {
						return err
					}
					if more = len(ids) > limit; more {
						ids = ids[:limit]
					}
					for _, id := range ids {
						row, err := rowOf(tx, id)
						if err != nil {
							return err
						}
						rows = append(rows, row)
					}
					return nil
				})
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(m.Stdout, rows)
				}
				cells := [][]string{{"PATIENT", "LANGUAGE", "ON FILE", "VISITS", "INVOICES"}}
				for _, r := range rows {
					cells = append(cells, []string{string(r.ID), orDash(r.Language), kinds(r.Identifiers), strconv.Itoa(r.Visits), strconv.Itoa(r.Invoices)})
				}
				if err := table(m.Stdout, cells); err != nil {
					return err
				}
				if more {
					fmt.Fprintf(m.Stderr, "more with --after %s\n", rows[len(rows)-1].ID)
				}
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	cmd.Flags().IntVar(&limit, "limit", 100, "at most this many")
	cmd.Flags().StringVar(&after, "after", "", "begin after this pseudonym")
	return cmd
}

func kinds(list []storage.IdentifierKind) string {
	words := make([]string, len(list))
	for i, k := range list {
		words[i] = string(k)
	}
	return orDash(strings.Join(words, ","))
}

// revealedPatient is what "patient show --reveal" prints.
type revealedPatient struct {
	storage.RevealedPatient
	Visits   []storage.RevealedVisit   `json:"visits"`
	Invoices []storage.RevealedInvoice `json:"invoices"`
}

func patientShowCommand(m *Main) *cobra.Command {
	var asJSON, reveal bool
	cmd := &cobra.Command{
		Use:   "show PSEUDONYM",
		Short: "Show one patient; with --reveal also what is known of the person",
		Long: `Show one patient. Without --reveal only the pseudonym and which identifiers are on file are shown. With it,
everything is, as JSON; an entry in the audit log says who looked, and is written first.`,
		Example: "  callward patient show p-0123456789abcdef01234567 --reveal",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id := storage.PatientID(args[0])
			return m.withStore(cmd, func(ctx context.Context, _ *config.Config, store storage.Store) error {
				if reveal {
					return m.revealPatient(ctx, store, id)
				}
				var row patientRow
				err := store.View(ctx, func(tx storage.Tx) (err error) {
					row, err = rowOf(tx, id)
					return err
				})
				if err != nil {
					return noPatient(id, err)
				}
				if asJSON {
					return printJSON(m.Stdout, row)
				}
				return table(m.Stdout, [][]string{
					{"patient", string(row.ID)}, {"language", orDash(row.Language)}, {"deceased", yesNo(row.Deceased)},
					{"on file", kinds(row.Identifiers)}, {"visits", strconv.Itoa(row.Visits)}, {"invoices", strconv.Itoa(row.Invoices)},
				})
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	cmd.Flags().BoolVar(&reveal, "reveal", false, "show health information; audited")
	return cmd
}

func (m *Main) revealPatient(ctx context.Context, store storage.Store, id storage.PatientID) error {
	// The entry is on disk before anything is read for show.
	err := store.Update(ctx, func(tx storage.Tx) error {
		if _, err := tx.Patient(id); err != nil {
			return err
		}
		_, err := tx.Audit(storage.Entry{Actor: actor(), Patient: id, Action: "patient.reveal", Outcome: storage.OutcomeEvent})
		return err
	})
	if err != nil {
		return noPatient(id, err)
	}
	var out revealedPatient
	err = store.View(ctx, func(tx storage.Tx) error {
		p, err := tx.Patient(id)
		if err != nil {
			return err
		}
		visits, err := tx.Visits(id)
		if err != nil {
			return err
		}
		invoices, err := tx.Invoices(id)
		if err != nil {
			return err
		}
		out = revealedPatient{RevealedPatient: p.Reveal(), Visits: []storage.RevealedVisit{}, Invoices: []storage.RevealedInvoice{}}
		for _, v := range visits {
			out.Visits = append(out.Visits, v.Reveal())
		}
		for _, i := range invoices {
			out.Invoices = append(out.Invoices, i.Reveal())
		}
		return nil
	})
	if err != nil {
		return err
	}
	return printJSON(m.Stdout, out)
}

func noPatient(id storage.PatientID, err error) error {
	if errors.Is(err, storage.ErrNotFound) {
		return fmt.Errorf("there is no patient %q: pseudonyms are in \"callward patient list\"", id)
	}
	return err
}
