package recording

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"filippo.io/age"
)

// keyFileLimit bounds what is read of a key file.
const keyFileLimit = 1 << 20

// CreateIdentity makes a hybrid (post-quantum) identity and writes it to path,
// mode 0600, in the format of age-keygen, so `age -d -i path` reads it. The
// recipient it returns is what seals recordings. Keep the file away from the
// machine that records. It refuses to overwrite (os.ErrExist).
func CreateIdentity(path string, now time.Time) (age.Recipient, error) {
	id, err := age.GenerateHybridIdentity()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyFile, err)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "# created: %s\n# public key: %s\n%s\n", now.UTC().Format(time.RFC3339), id.Recipient(), id)
	defer clear(b.Bytes())
	return id.Recipient(), writeKeyFile(path, 0o600, b.Bytes())
}

// WriteRecipients writes public recipients, one a line, as `age -R` reads them.
func WriteRecipients(path string, keys ...age.Recipient) error {
	var b bytes.Buffer
	for _, k := range keys {
		s, ok := k.(fmt.Stringer)
		if !ok {
			return fmt.Errorf("%w: a recipient that cannot be written as text", ErrKeyFile)
		}
		fmt.Fprintln(&b, s)
	}
	return writeKeyFile(path, 0o644, b.Bytes())
}

func writeKeyFile(path string, mode os.FileMode, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrKeyFile, err)
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		os.Remove(path)
		return fmt.Errorf("%w: %w", ErrKeyFile, err)
	}
	return syncDir(filepath.Dir(path))
}

// ReadRecipients reads a file of public recipients in age's format.
func ReadRecipients(path string) ([]age.Recipient, error) {
	b, err := readKeyFile(path)
	if err != nil {
		return nil, err
	}
	keys, err := age.ParseRecipients(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("%w %s: %w (one age1... a line)", ErrKeyFile, path, err)
	}
	return keys, nil
}

// ReadIdentities reads a file of identities in age's format. A file that others
// than its owner can read is refused.
func ReadIdentities(path string) ([]age.Identity, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyFile, err)
	}
	if st.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%w %s is readable by others: chmod 600 %s", ErrKeyFile, path, path)
	}
	b, err := readKeyFile(path)
	if err != nil {
		return nil, err
	}
	defer clear(b)
	ids, err := age.ParseIdentities(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("%w %s: %w (one AGE-SECRET-KEY-... a line)", ErrKeyFile, path, err)
	}
	return ids, nil
}

func readKeyFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyFile, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, keyFileLimit+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyFile, err)
	}
	if len(b) > keyFileLimit {
		return nil, fmt.Errorf("%w %s: larger than %d bytes", ErrKeyFile, path, keyFileLimit)
	}
	return b, nil
}
