package main

import (
	"cmp"
	"context"
	"errors"
	"os/user"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/callward/callward/internal/config"
	"github.com/callward/callward/storage"
	"github.com/callward/callward/storage/seal"
	"github.com/callward/callward/storage/sqlite"
)

// keyedStore is a store with the keyset it was opened with; both are closed together.
type keyedStore struct {
	storage.Store
	keys *seal.Keys
}

func (s keyedStore) Close() error { return errors.Join(s.Store.Close(), s.keys.Close()) }

// openStore opens the store the configuration names.
func (m *Main) openStore(ctx context.Context, c *config.Config) (storage.Store, error) {
	return m.openStoreFor(ctx, c, 0)
}

// openStoreFor is openStore with how long to wait for a lock of another process; 0 is the driver's default.
func (m *Main) openStoreFor(ctx context.Context, c *config.Config, busy time.Duration) (storage.Store, error) {
	keys, err := seal.Load(c.Keys.DataKeyset())
	if err != nil {
		return nil, err
	}
	store, err := sqlite.Open(ctx, sqlite.Config{Path: c.Storage.SQLite.Path, Keys: keys, Clock: m.Now, Busy: busy})
	if err != nil {
		return nil, errors.Join(err, keys.Close())
	}
	return keyedStore{store, keys}, nil
}

// withStore runs fn with the configured store, which must have been made by init.
func (m *Main) withStore(cmd *cobra.Command, fn func(context.Context, *config.Config, storage.Store) error) error {
	c, err := m.config()
	if err != nil {
		return err
	}
	if !exists(c.Storage.SQLite.Path) {
		return errNoDatabase(c.Storage.SQLite.Path)
	}
	store, err := m.openStore(cmd.Context(), c)
	if err != nil {
		return err
	}
	return errors.Join(fn(cmd.Context(), c, store), store.Close())
}

// actor is who the audit log says ran a command: the account of the process, which no environment
// variable changes.
func actor() string {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = cmp.Or(u.Username, u.Uid, name)
	}
	clean := strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' || r == '"' || r == '\\' {
			return '_'
		}
		return r
	}, name)
	return "cli:" + clean
}
