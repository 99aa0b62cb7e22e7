package audit

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// Errors about key files. Each message names the mend.
var (
	// ErrKeyExists: CreateKey never overwrites a key.
	ErrKeyExists = errors.New("audit: key file exists already")
	// ErrKeyPermissions: group or others may read the signing key.
	ErrKeyPermissions = errors.New("audit: signing key can be read by others")
	// ErrKey: the text is not a key of the kind needed.
	ErrKey = errors.New("audit: not a key")
)

// CreateKey makes an Ed25519 key pair: the signing key in path, mode 0600, and
// the public one in path + ".pub". name goes into every checkpoint; it must
// not hold spaces or a plus sign. r is crypto/rand.Reader outside tests.
// Errors: ErrKeyExists, ErrKey, those of the file system.
func CreateKey(r io.Reader, path, name string) (verifierKey string, err error) {
	if name == "" || strings.ContainsAny(name, "+ \t\r\n") {
		return "", fmt.Errorf("%w: a key's name holds no spaces and no plus sign", ErrKey)
	}
	signerKey, verifierKey, err := note.GenerateKey(r, name)
	if err != nil {
		return "", fmt.Errorf("audit: make a key: %w", err)
	}
	if err := create(path, signerKey, 0o600); err != nil {
		return "", err
	}
	return verifierKey, create(path+".pub", verifierKey, 0o644)
}

func create(path, text string, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: keep using %s, or give another path", ErrKeyExists, path)
	}
	if err != nil {
		return fmt.Errorf("audit: create key: %w", err)
	}
	_, err = f.WriteString(text + "\n")
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("audit: create key: %w", err)
	}
	return nil
}

// LoadSigner reads a signing key. Errors: ErrKeyPermissions, ErrKey,
// fs.ErrNotExist.
func LoadSigner(path string) (note.Signer, error) {
	fi, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("audit: signing key: %w: run callward init, or restore %s from where keys are kept", err, path)
	}
	if err != nil {
		return nil, fmt.Errorf("audit: signing key: %w", err)
	}
	if fi.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%w: run chmod 600 %s", ErrKeyPermissions, path)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("audit: signing key: %w", err)
	}
	s, err := note.NewSigner(strings.TrimSpace(string(b)))
	if err != nil {
		return nil, fmt.Errorf("%w: %s is not a signing key: restore it from where keys are kept", ErrKey, path)
	}
	return s, nil
}

// LoadVerifierKey reads a public key file as Verify takes it. Errors: ErrKey,
// fs.ErrNotExist.
func LoadVerifierKey(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("audit: public key: %w", err)
	}
	_, err = verifiers(string(b))
	return string(b), err
}

// verifiers reads public keys, one a line: after a change of key the old one
// is still needed for old checkpoints.
func verifiers(keys string) (note.Verifiers, error) {
	var list []note.Verifier
	for line := range strings.Lines(keys) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		v, err := note.NewVerifier(line)
		if err != nil {
			return nil, fmt.Errorf("%w: not a public key: give the file callward init made, ending in .pub", ErrKey)
		}
		list = append(list, v)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%w: no public key was given", ErrKey)
	}
	return note.VerifierList(list...), nil
}
