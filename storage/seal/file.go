package seal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"
	"golang.org/x/sys/unix"
)

// Errors about the keyset file. Each message names the mend.
var (
	// ErrExists: Create never overwrites keys.
	ErrExists = errors.New("seal: keyset file exists already")
	// ErrPermissions: group or others may read the file.
	ErrPermissions = errors.New("seal: keyset file can be read by others")
	// ErrInUse: a rotation needs the keyset for itself, or one is running.
	ErrInUse = errors.New("seal: keyset is in use")
	// ErrDamaged: the file is not a keyset.
	ErrDamaged = errors.New("seal: not a keyset file")
)

// file is the keyset file: two Tink keysets in clear. It is protected by its
// mode and by being kept apart from the database, not by a passphrase, so that
// the service starts unattended.
type file struct {
	Version int             `json:"callward_keyset"`
	Seal    json.RawMessage `json:"seal"`
	Lookup  json.RawMessage `json:"lookup"`
}

const fileVersion = 1

// Create makes fresh keys and writes them to a new file with mode 0600.
// Errors: ErrExists, those of the file system.
func Create(path string) (*Keys, error) {
	k, err := NewInMemory()
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%w: keep using %s, or give another path", ErrExists, path)
	}
	if err != nil {
		return nil, fmt.Errorf("seal: create keyset: %w", err)
	}
	k.path, k.lock = path, &lock{f: f}
	if err := k.writeTo(f); err != nil {
		_ = f.Close()
		_ = os.Remove(path)
		return nil, err
	}
	if err := k.lock.take(unix.LOCK_SH); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return k, syncDir(path)
}

// Load reads a keyset file and holds a shared lock on it until Close, so that
// no rotation runs beside a service. Errors: ErrPermissions, ErrInUse while a
// rotation runs, ErrDamaged, fs.ErrNotExist.
func Load(path string) (*Keys, error) { return load(path, unix.LOCK_SH) }

// LoadExclusive is Load for a rotation. Errors: as Load; ErrInUse while
// anything else has the keyset loaded.
func LoadExclusive(path string) (*Keys, error) { return load(path, unix.LOCK_EX) }

func load(path string, how int) (*Keys, error) {
	for {
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("seal: keyset: %w: run callward init, or restore %s from where keys are kept", err, path)
		}
		if err != nil {
			return nil, fmt.Errorf("seal: keyset: %w", err)
		}
		l := &lock{f: f}
		if err := l.take(how); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		current, err := l.is(path)
		if err == nil && !current {
			_ = f.Close() // replaced by a rotation since it was opened
			continue
		}
		var k *Keys
		if err == nil {
			k, err = read(path, f)
		}
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		k.lock = l
		return k, nil
	}
}

func read(path string, f *os.File) (*Keys, error) {
	fi, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("seal: keyset: %w", err)
	}
	if fi.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%w: run chmod 600 %s", ErrPermissions, path)
	}
	b, err := io.ReadAll(io.LimitReader(f, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("seal: keyset: %w", err)
	}
	k := &Keys{path: path}
	if err := k.decode(b); err != nil {
		return nil, fmt.Errorf("%w: %s: restore it from where keys are kept", ErrDamaged, path)
	}
	return k, nil
}

func (k *Keys) decode(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var in file
	if err := d.Decode(&in); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF || in.Version != fileVersion {
		return errors.New("unknown form")
	}
	a, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(in.Seal)))
	if err != nil {
		return err
	}
	p, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(in.Lookup)))
	if err != nil {
		return err
	}
	return k.use(a, p)
}

func (k *Keys) encode() ([]byte, error) {
	var a, p bytes.Buffer
	if err := insecurecleartextkeyset.Write(k.aeads, keyset.NewJSONWriter(&a)); err != nil {
		return nil, fmt.Errorf("seal: encode keyset: %w", err)
	}
	if err := insecurecleartextkeyset.Write(k.prfs, keyset.NewJSONWriter(&p)); err != nil {
		return nil, fmt.Errorf("seal: encode keyset: %w", err)
	}
	b, err := json.MarshalIndent(file{Version: fileVersion, Seal: a.Bytes(), Lookup: p.Bytes()}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("seal: encode keyset: %w", err)
	}
	return append(b, '\n'), nil
}

func (k *Keys) writeTo(f *os.File) error {
	b, err := k.encode()
	if err != nil {
		return err
	}
	if _, err := f.Write(b); err != nil {
		return fmt.Errorf("seal: write keyset: %w", err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("seal: write keyset: %w", err)
	}
	return nil
}

// AddKeys adds new primary keys, for sealing and for lookup, beside the old
// ones, and replaces the file in one step. Only with keys of LoadExclusive or
// NewInMemory. Errors: ErrInUse, those of the file system.
func (k *Keys) AddKeys() error {
	a, err := withNew(k.aeads, func(m *keyset.Manager) (uint32, error) { return m.Add(aead.AES256GCMKeyTemplate()) })
	if err != nil {
		return err
	}
	p, err := withNew(k.prfs, func(m *keyset.Manager) (uint32, error) { return m.Add(prf.HMACSHA256PRFKeyTemplate()) })
	if err != nil {
		return err
	}
	return k.replace(a, p)
}

// Retire drops every key but the primary ones and replaces the file in one
// step. What they sealed, in backups too, no longer opens with this keyset.
// Errors: as AddKeys.
func (k *Keys) Retire() error {
	a, err := onlyPrimary(k.aeads)
	if err != nil {
		return err
	}
	p, err := onlyPrimary(k.prfs)
	if err != nil {
		return err
	}
	return k.replace(a, p)
}

func withNew(h *keyset.Handle, add func(*keyset.Manager) (uint32, error)) (*keyset.Handle, error) {
	m := keyset.NewManagerFromHandle(h)
	id, err := add(m)
	if err == nil {
		err = m.SetPrimary(id)
	}
	if err != nil {
		return nil, fmt.Errorf("seal: add a key: %w", err)
	}
	return m.Handle()
}

func onlyPrimary(h *keyset.Handle) (*keyset.Handle, error) {
	m := keyset.NewManagerFromHandle(h)
	info := h.KeysetInfo()
	for _, key := range info.GetKeyInfo() {
		if key.GetKeyId() == info.GetPrimaryKeyId() {
			continue
		}
		if err := m.Delete(key.GetKeyId()); err != nil {
			return nil, fmt.Errorf("seal: retire a key: %w", err)
		}
	}
	return m.Handle()
}

// replace puts new keys into use, and into the file if there is one. The new
// file is locked before it takes the old one's name.
func (k *Keys) replace(a, p *keyset.Handle) error {
	next := &Keys{path: k.path}
	if err := next.use(a, p); err != nil {
		return err
	}
	if k.path != "" {
		if k.lock == nil || k.lock.how != unix.LOCK_EX {
			return fmt.Errorf("%w: a rotation must load %s exclusively", ErrInUse, k.path)
		}
		tmp := k.path + ".new"
		_ = os.Remove(tmp) // left by a rotation that was killed
		f, err := os.OpenFile(tmp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return fmt.Errorf("seal: write keyset: %w", err)
		}
		next.lock = &lock{f: f}
		err = next.lock.take(unix.LOCK_EX)
		if err == nil {
			err = next.writeTo(f)
		}
		if err == nil {
			err = os.Rename(tmp, k.path)
		}
		if err != nil {
			return errors.Join(err, f.Close(), os.Remove(tmp))
		}
		_ = k.lock.f.Close()
		if err := syncDir(k.path); err != nil {
			return err
		}
	}
	*k = *next
	return nil
}

// Close gives up the lock on the file. It may be called twice.
func (k *Keys) Close() error {
	if k == nil || k.lock == nil {
		return nil
	}
	f := k.lock.f
	k.lock = nil
	return f.Close()
}

// lock is an advisory lock on the keyset file, held as long as f is open.
type lock struct {
	f   *os.File
	how int
}

func (l *lock) take(how int) error {
	err := unix.Flock(int(l.f.Fd()), how|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		if how == unix.LOCK_EX {
			return fmt.Errorf("%w: stop callward serve and other callward commands, then try again", ErrInUse)
		}
		return fmt.Errorf("%w: a key rotation is running; try again when it is done", ErrInUse)
	}
	if err != nil {
		return fmt.Errorf("seal: lock keyset: %w", err)
	}
	l.how = how
	return nil
}

func (l *lock) is(path string) (bool, error) {
	mine, err := l.f.Stat()
	if err != nil {
		return false, fmt.Errorf("seal: keyset: %w", err)
	}
	there, err := os.Stat(path)
	if err != nil {
		return false, fmt.Errorf("seal: keyset: %w", err)
	}
	return os.SameFile(mine, there), nil
}

func syncDir(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("seal: write keyset: %w", err)
	}
	err = d.Sync()
	if closeErr := d.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("seal: write keyset: %w", err)
	}
	return nil
}
