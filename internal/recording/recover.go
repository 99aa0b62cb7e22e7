package recording

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Recovered is a recording whose process died before it was sealed.
type Recovered struct {
	ID       string
	Path     string // id.truncated.age
	Bytes    int64
	LastKept time.Time // when the last chunk, or the tail of one, reached the disk
}

// Recover finds what killed processes left in dir, renames it from id.wav.age.part
// to id.truncated.age and reports it; Open yields what authenticates of it and
// ErrTruncated. Files of living processes are left alone. Run it at start, before
// the first recording. It holds no keys and looks into no file.
func Recover(dir string) ([]Recovered, error) {
	parts, err := filepath.Glob(filepath.Join(globQuote(dir), "*"+partSuffix))
	if err != nil {
		return nil, err
	}
	var found []Recovered
	var errs []error
	for _, part := range parts {
		rec, err := recoverOne(part)
		switch {
		case errors.Is(err, errLocked) || errors.Is(err, os.ErrNotExist):
		case err != nil:
			errs = append(errs, err)
		default:
			found = append(found, rec)
		}
	}
	if len(found) > 0 {
		errs = append(errs, syncDir(dir))
	}
	return found, errors.Join(errs...)
}

func recoverOne(part string) (Recovered, error) {
	f, err := os.OpenFile(part, os.O_RDWR, 0)
	if err != nil {
		return Recovered{}, err
	}
	defer f.Close()
	if err := lock(f); err != nil {
		return Recovered{}, err
	}
	st, err := f.Stat()
	if err != nil {
		return Recovered{}, err
	}
	if err := f.Sync(); err != nil {
		return Recovered{}, diskError(err)
	}
	base := strings.TrimSuffix(part, partSuffix)
	rec := Recovered{
		ID: filepath.Base(base), Path: base + truncatedSuffix,
		Bytes: st.Size(), LastKept: st.ModTime().UTC(),
	}
	os.Remove(base + tailNewSuffix) // was being written; the one before it is whole
	if tail, err := os.Stat(base + tailSuffix); err == nil && tail.ModTime().After(rec.LastKept) {
		rec.LastKept = tail.ModTime().UTC()
	}
	if err := os.Rename(base+tailSuffix, base+truncatedTailSuffix); err != nil && !errors.Is(err, os.ErrNotExist) {
		return Recovered{}, diskError(err)
	}
	if err := os.Rename(part, rec.Path); err != nil {
		return Recovered{}, diskError(err)
	}
	return rec, nil
}

// globQuote keeps glob characters in a directory name from meaning anything.
func globQuote(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s)
}
