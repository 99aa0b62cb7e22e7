package lab

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// FetchOptions says where to put what is fetched and who watches.
type FetchOptions struct {
	// Dir is the cache. Empty: CALLWARD_CACHE, else "callward" in the user's cache directory.
	Dir string
	// Progress is told what is being done ("wait", "index", "download", "unpack",
	// "check") and how far it is; done never exceeds total, and total is 100 for
	// stages that count in per cent, bytes for "download" and packages for "unpack".
	// Calls come one at a time. May be nil.
	Progress func(stage string, done, total int64)
	// Getenv is os.Getenv unless a test hands another in.
	Getenv func(string) string
}

// The choices a person has, by environment. Errors name them.
const (
	EnvAsterisk = "CALLWARD_ASTERISK"  // path of an installed asterisk to use
	EnvCache    = "CALLWARD_CACHE"     // where fetched things are kept
	EnvStale    = "CALLWARD_APT_STALE" // "1": accept a frozen mirror
	EnvMirror   = "CALLWARD_APT_URI"   // a Debian mirror, when apt's own sources name none
)

// suite is the first Debian suite with an Asterisk that has the fixes we insist on.
const suite = "forky"

// wanted is what the lab runs.
var wanted = []string{"asterisk", "espeak-ng", "age"}

// unneeded are dependencies that nothing we load or run uses: sounds (ours are
// rendered), documentation, and tools that only installation scripts call. Fetching
// without them saves a third of the download.
var unneeded = []string{
	"adduser", "asterisk-core-sounds-", "asterisk-moh-", "debconf", "dirmngr",
	"gnupg", "gpg", "gpgconf", "gpgsm", "gpg-agent", "gpgv", "libcodec2-", "libicu",
	"liblocale-gettext-perl", "libperl", "libsnmp", "passwd", "perl", "perl-base",
	"perl-modules-", "pinentry-", "tzdata",
}

// layout changes when what is kept in the cache changes shape.
const layout = 1

// ErrNoApt: this machine cannot fetch Debian packages.
var ErrNoApt = errors.New("lab: apt-get and dpkg-deb are not here: name an installed Asterisk 22.10 or later with " +
	EnvAsterisk + "=/path/to/asterisk, use the Docker set-up (docker-compose.yml), or give callward serve the ARI URL of an Asterisk that runs elsewhere")

// ErrNoMirror: apt's sources name no Debian mirror.
var ErrNoMirror = errors.New("lab: apt's sources name no Debian mirror: set " + EnvMirror +
	" to the address of one (as after \"deb\" in sources.list), or name an installed Asterisk with " + EnvAsterisk + "=/path/to/asterisk")

// ErrStaleMirror: the mirror's index is past its Valid-Until date.
var ErrStaleMirror = errors.New("lab: the package mirror is a frozen copy, its index is past its Valid-Until date: set " +
	EnvStale + "=1 to accept it (signatures are still checked), or use a current mirror")

// manifest is written last into a fetched tree: a tree without it is not one.
type manifest struct {
	Layout   int       `json:"layout"`
	Suite    string    `json:"suite"`
	Asterisk string    `json:"asterisk"`
	Packages []string  `json:"packages"`
	At       time.Time `json:"at"`
}

const manifestName = "callward-install.json"

// Fetch returns a real Asterisk: the one CALLWARD_ASTERISK names, else the one in the
// cache, else one it downloads from the host's own Debian mirror into the cache. It
// needs no root and leaves the system's package state alone. Two processes may call
// it at once: one fetches, the other waits. When ctx ends, what was begun is removed.
func Fetch(ctx context.Context, o FetchOptions) (Install, error) {
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	if o.Progress == nil {
		o.Progress = func(string, int64, int64) {}
	}
	cache, err := cacheDir(o)
	if err != nil {
		return Install{}, err
	}
	if path := o.Getenv(EnvAsterisk); path != "" {
		return installed(ctx, path, cache)
	}
	dir := filepath.Join(cache, "asterisk")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Install{}, fmt.Errorf("lab: cache directory (choose another with %s): %w", EnvCache, err)
	}
	root := filepath.Join(dir, key())
	if in, err := fetched(root, cache); err == nil {
		return in, nil
	}
	unlock, err := lock(ctx, filepath.Join(dir, "lock"), func() { o.Progress("wait", 0, 100) })
	if err != nil {
		return Install{}, err
	}
	defer unlock()
	if in, err := fetched(root, cache); err == nil { // by the one we waited for
		return in, nil
	}
	if err := fetch(ctx, o, dir, root, cache); err != nil {
		return Install{}, err
	}
	return fetched(root, cache)
}

// key names a fetched tree by what went into it.
func key() string {
	h := sha256.New()
	fmt.Fprintln(h, layout, suite, debArch(), wanted, unneeded)
	return suite + "-" + hex.EncodeToString(h.Sum(nil))[:12]
}

// fetch does the work under the lock: stage beside the goal, check, rename.
func fetch(ctx context.Context, o FetchOptions, dir, root, cache string) (err error) {
	for _, left := range globs(filepath.Join(dir, "stage-*")) {
		if err := os.RemoveAll(left); err != nil { // of a run that was killed
			return fmt.Errorf("lab: remove an unfinished fetch: %w", err)
		}
	}
	stage, err := os.MkdirTemp(dir, "stage-")
	if err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	defer os.RemoveAll(stage)

	apt, err := newApt(ctx, o, filepath.Join(stage, "apt"))
	if err != nil {
		return err
	}
	if err := apt.update(ctx); err != nil {
		return err
	}
	list, err := apt.resolve(ctx, wanted)
	if err != nil {
		return err
	}
	debs, err := apt.download(ctx, list)
	if err != nil {
		return err
	}
	tree := filepath.Join(stage, "root")
	if err := unpack(ctx, debs, tree, o.Progress); err != nil {
		return err
	}

	o.Progress("check", 0, 100)
	in := prefix(tree, cache)
	if in.Version, err = version(ctx, in); err != nil {
		return err
	}
	for _, program := range []string{"espeak-ng", "age"} {
		if out, err := in.Command(ctx, program, "--version").CombinedOutput(); err != nil {
			return fmt.Errorf("lab: fetched %s does not run: %w: %s", program, err, lastLine(out))
		}
	}
	m := manifest{Layout: layout, Suite: suite, Asterisk: in.Version, At: time.Now().UTC()}
	for _, p := range list {
		m.Packages = append(m.Packages, p.name+"="+p.version)
	}
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(tree, manifestName), append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	if err := os.RemoveAll(root); err != nil { // a tree without a manifest
		return fmt.Errorf("lab: %w", err)
	}
	if err := os.Rename(tree, root); err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	o.Progress("check", 100, 100)
	return nil
}

// fetched is the tree at root when it is whole.
func fetched(root, cache string) (Install, error) {
	b, err := os.ReadFile(filepath.Join(root, manifestName))
	if err != nil {
		return Install{}, err
	}
	var m manifest
	if err := json.Unmarshal(b, &m); err != nil {
		return Install{}, fmt.Errorf("lab: %s: %w", manifestName, err)
	}
	in := prefix(root, cache)
	in.Version = m.Asterisk
	return in, nil
}

func cacheDir(o FetchOptions) (string, error) {
	dir := o.Dir
	if dir == "" {
		dir = o.Getenv(EnvCache)
	}
	if dir == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("lab: no cache directory, name one with %s: %w", EnvCache, err)
		}
		dir = filepath.Join(base, "callward")
	}
	return filepath.Abs(dir)
}

// lock takes the file lock at path, calling wait while another process holds it.
func lock(ctx context.Context, path string, wait func()) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			f.Close()
			return nil, fmt.Errorf("lab: lock %s: %w", path, err)
		}
		wait()
		select {
		case <-ctx.Done():
			f.Close()
			return nil, context.Cause(ctx)
		case <-tick.C:
		}
	}
}

func globs(pattern string) []string {
	found, _ := filepath.Glob(pattern) // the only error is a bad pattern
	return found
}

func lastLine(b []byte) string {
	s := strings.TrimSpace(string(b))
	return s[strings.LastIndexByte(s, '\n')+1:]
}
