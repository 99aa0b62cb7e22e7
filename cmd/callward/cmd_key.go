package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/callward/callward/storage"
	"github.com/callward/callward/storage/sqlite"
)

func keyCommand(m *Main) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "key",
		Short: "Care for the keys of the database",
	}
	cmd.AddCommand(keyRotateCommand(m))
	return cmd
}

func keyRotateCommand(m *Main) *cobra.Command {
	return &cobra.Command{
		Use:   "rotate",
		Short: "Give the database new keys and seal every row anew",
		Long: `Give the database new keys, seal every row and compute every lookup hash anew, then drop the old keys. The
service must be stopped. Interrupted, it goes on where it was when it is run again. A backup of the database
made before opens only with a backup of the keyset made before.`,
		Example: "  callward key rotate",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := m.config()
			if err != nil {
				return err
			}
			if !exists(c.Storage.SQLite.Path) {
				return errNoDatabase(c.Storage.SQLite.Path)
			}
			bar := newProgress(m.Stderr, "rows sealed anew")
			cfg := sqlite.Config{Path: c.Storage.SQLite.Path, Clock: m.Now}
			if err := sqlite.Rotate(cmd.Context(), cfg, c.Keys.DataKeyset(), bar.show); err != nil {
				bar.end()
				return err
			}
			bar.end()
			store, err := m.openStore(cmd.Context(), c)
			if err != nil {
				return err
			}
			err = store.Update(cmd.Context(), func(tx storage.Tx) error {
				_, err := tx.Audit(storage.Entry{Actor: actor(), Action: "key.rotate", Outcome: storage.OutcomeEvent})
				return err
			})
			if closeErr := store.Close(); err == nil {
				err = closeErr
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(m.Stdout, "The database has new keys. Back up the keyset apart from the database.")
			return err
		},
	}
}
