package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"
	"golang.org/x/mod/sumdb/note"

	"github.com/callward/callward/internal/config"
	"github.com/callward/callward/internal/recording"
	"github.com/callward/callward/storage/seal"
)

// setupOptions say what a new site is to be.
type setupOptions struct {
	ConfigPath      string            // made when it is not there
	Values          map[string]string // keys of the configuration to fill in
	OfficerIdentity string            // file to make; opens every recording
	Recipients      []string          // in place of making an identity
}

// setupItem is one file or folder, and whether this run made it.
type setupItem struct {
	Path string `json:"path"`
	What string `json:"what"`
	Made bool   `json:"made"`
}

// setup is one run of init over one site. Nothing that exists is changed.
type setup struct {
	m     *Main
	items []setupItem
}

// setUp makes what a site needs and is not there yet, and tells what it found. The configuration it
// returns is the one in force afterwards.
func (m *Main) setUp(ctx context.Context, o setupOptions) (*config.Config, []setupItem, error) {
	s := &setup{m: m}
	if err := s.configuration(o); err != nil {
		return nil, s.items, err
	}
	c, err := config.Load(o.ConfigPath, m.Env)
	if err != nil {
		return nil, s.items, exitError{exitUsage, err}
	}
	steps := []func() error{
		func() error { return s.folder(c.Keys.Dir, "keys", 0o700) },
		func() error { return s.folder(filepath.Dir(c.Storage.SQLite.Path), "database folder", 0o700) },
		func() error { return s.folder(c.Recording.Dir, "sealed recordings", 0o700) },
		func() error { return s.folder(c.Prompts.Dir, "rendered prompts", 0o755) },
		func() error { return s.recipients(c, o) },
		func() error { return s.dataKeyset(c.Keys.DataKeyset()) },
		func() error { return s.auditKey(c.Keys) },
		func() error { return s.password(c.Asterisk.ARI.PasswordFile) },
		func() error { return s.database(ctx, c) },
	}
	for _, step := range steps {
		if err := ctx.Err(); err != nil {
			return nil, s.items, err
		}
		if err := step(); err != nil {
			return nil, s.items, err
		}
	}
	return c, s.items, nil
}

func (s *setup) note(path, what string, made bool) {
	s.items = append(s.items, setupItem{Path: path, What: what, Made: made})
}

func (s *setup) configuration(o setupOptions) error {
	if exists(o.ConfigPath) {
		s.note(o.ConfigPath, "configuration", false)
		return nil
	}
	data, err := config.FilledSample(o.Values)
	if err != nil {
		return err
	}
	if _, err := config.Decode(o.ConfigPath, data, s.m.Env); err != nil {
		return exitError{exitUsage, err}
	}
	if err := os.MkdirAll(filepath.Dir(o.ConfigPath), 0o755); err != nil {
		return unwritable(err)
	}
	return s.file(o.ConfigPath, "configuration", 0o644, data)
}

func (s *setup) folder(path, what string, mode fs.FileMode) error {
	if info, err := os.Stat(path); err == nil {
		if !info.IsDir() {
			return fmt.Errorf("%s is not a folder: move it away, or name another in the configuration", path)
		}
		s.note(path, what, false)
		return nil
	}
	// Folders above are for everybody to pass through: Asterisk's user has to reach the prompts.
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return unwritable(err)
	}
	if err := os.Mkdir(path, mode); err != nil {
		return unwritable(err)
	}
	s.note(path, what, true)
	return nil
}

// file makes a file that must not be there yet, whole or not at all.
func (s *setup) file(path, what string, mode fs.FileMode, data []byte) error {
	if err := writeNew(path, mode, data); err != nil {
		return unwritable(err)
	}
	s.note(path, what, true)
	return nil
}

// recipients makes the file of public keys, and the officer's identity unless public keys were given.
func (s *setup) recipients(c *config.Config, o setupOptions) error {
	path := c.Recording.Recipients
	if exists(path) {
		s.note(path, "recipients of recordings", false)
		if o.OfficerIdentity != "" && !exists(o.OfficerIdentity) {
			return fmt.Errorf("%s already says who may open recordings, so no new identity was made: add a recipient to it, or leave --officer-identity out", path)
		}
		return nil
	}
	lines := o.Recipients
	if len(lines) == 0 {
		recipient, err := s.identity(c, o)
		if err != nil {
			return err
		}
		lines = []string{recipient}
	}
	text := "# Recordings are sealed to these public keys. None of them opens anything.\n" + strings.Join(lines, "\n") + "\n"
	if _, err := age.ParseRecipients(strings.NewReader(text)); err != nil {
		return usage("--recipient is not an age public key: give it as age-keygen prints it, beginning with age1")
	}
	return s.file(path, "recipients of recordings", 0o644, []byte(text))
}

func (s *setup) identity(c *config.Config, o setupOptions) (recipient string, err error) {
	path := o.OfficerIdentity
	if path == "" {
		return "", usage("who may open recordings? --officer-identity FILE makes a new identity, --recipient age1... names an existing one")
	}
	for _, dir := range []string{c.Keys.Dir, c.Recording.Dir, c.Prompts.Dir, filepath.Dir(c.Storage.SQLite.Path)} {
		if rel, err := filepath.Rel(dir, path); err == nil && rel != ".." && !strings.HasPrefix(rel, "../") {
			return "", usage("the officer's identity opens every recording and may not lie in %s: name a place outside, best on removable media", dir)
		}
	}
	if exists(path) {
		return "", fmt.Errorf("%s exists and is never overwritten: give its public key with --recipient (age-keygen -y %s), or name another file", path, path)
	}
	made, err := recording.CreateIdentity(path, s.m.Now())
	if err != nil {
		return "", unwritable(err)
	}
	s.note(path, "officer's identity", true)
	return fmt.Sprint(made), nil
}

func (s *setup) dataKeyset(path string) error {
	if exists(path) {
		s.note(path, "keys of the database", false)
		return nil
	}
	k, err := seal.Create(path)
	if err != nil {
		return err
	}
	s.note(path, "keys of the database", true)
	return k.Close()
}

func (s *setup) auditKey(k config.Keys) error {
	switch secret, public := exists(k.AuditKey()), exists(k.AuditPub()); {
	case secret && public:
		s.note(k.AuditKey(), "key that signs checkpoints", false)
		s.note(k.AuditPub(), "key that verifies them", false)
		return nil
	case secret != public:
		return fmt.Errorf("of %s and %s only one is there: restore the other from where keys are kept", k.AuditKey(), k.AuditPub())
	}
	id := make([]byte, 4)
	if _, err := io.ReadFull(s.m.Rand, id); err != nil {
		return fmt.Errorf("make the audit key: %w", err)
	}
	secret, public, err := note.GenerateKey(s.m.Rand, "callward-audit-"+hex.EncodeToString(id))
	if err != nil {
		return fmt.Errorf("make the audit key: %w", err)
	}
	if err := s.file(k.AuditPub(), "key that verifies them", 0o644, []byte(public+"\n")); err != nil {
		return err
	}
	if err := s.file(k.AuditKey(), "key that signs checkpoints", 0o600, []byte(secret+"\n")); err != nil {
		return errors.Join(err, os.Remove(k.AuditPub()))
	}
	return nil
}

func (s *setup) password(path string) error {
	const what = "password of the ARI user"
	if exists(path) {
		s.note(path, what, false)
		return nil
	}
	raw := make([]byte, 24)
	if _, err := io.ReadFull(s.m.Rand, raw); err != nil {
		return fmt.Errorf("make a password: %w", err)
	}
	return s.file(path, what, 0o600, []byte(hex.EncodeToString(raw)+"\n"))
}

func (s *setup) database(ctx context.Context, c *config.Config) error {
	existed := exists(c.Storage.SQLite.Path)
	store, err := s.m.openStore(ctx, c)
	if err != nil {
		return err
	}
	if err := store.Close(); err != nil {
		return err
	}
	s.note(c.Storage.SQLite.Path, "database", !existed)
	return nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// writeNew writes a file under a passing name in the same folder and links it into place, so that it is
// there whole or not at all and nothing is overwritten.
func writeNew(path string, mode fs.FileMode, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return os.Link(f.Name(), path)
}

func unwritable(err error) error {
	var path *fs.PathError
	switch {
	case errors.Is(err, fs.ErrPermission) && errors.As(err, &path):
		return fmt.Errorf("%s cannot be written by this user: run as one who may, or give --dir a folder of your own: %w", path.Path, fs.ErrPermission)
	case errors.Is(err, fs.ErrNotExist) && errors.As(err, &path):
		return fmt.Errorf("%s does not exist: make it, or name another place", filepath.Dir(path.Path))
	}
	return err
}
