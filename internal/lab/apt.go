package lab

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// Limits of single steps; each ends earlier when the context does.
const (
	updateLimit   = 5 * time.Minute
	downloadLimit = 20 * time.Minute
	shortLimit    = time.Minute
)

// apt is a private package state: nothing of the system's is read but the mirror's
// address, the Acquire settings (proxies, certificates) and the archive keyring.
type apt struct {
	dir      string
	conf     string
	mirrors  []string
	keyring  string
	progress func(string, int64, int64)
}

type pkg struct {
	name, version string
	size          int64
}

func newApt(ctx context.Context, o FetchOptions, dir string) (*apt, error) {
	for _, program := range []string{"apt-get", "apt-config", "dpkg-deb"} {
		if _, err := exec.LookPath(program); err != nil {
			return nil, fmt.Errorf("%w (%w)", ErrNoApt, err)
		}
	}
	a := &apt{dir: dir, conf: filepath.Join(dir, "apt.conf"), progress: o.Progress}
	for _, path := range []string{"/usr/share/keyrings/debian-archive-keyring.gpg", "/usr/share/keyrings/debian-archive-keyring.pgp"} {
		if _, err := os.Stat(path); err == nil {
			a.keyring = path
			break
		}
	}
	if a.keyring == "" {
		return nil, errors.New("lab: the Debian archive keyring is not here: install the package debian-archive-keyring, or name an installed Asterisk with " + EnvAsterisk + "=/path/to/asterisk")
	}
	var err error
	if a.mirrors, err = mirrors(ctx, o.Getenv(EnvMirror)); err != nil {
		return nil, err
	}
	for _, d := range []string{"state/lists/partial", "cache/archives/partial", "etc", "archives"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			return nil, fmt.Errorf("lab: %w", err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "status"), nil, 0o600); err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	return a, a.writeConf(ctx, o.Getenv(EnvStale) == "1")
}

// mirrors finds the addresses of the Debian archive in apt's own sources. It works
// before any "apt-get update": --no-release-info lists what the sources say.
func mirrors(ctx context.Context, named string) ([]string, error) {
	if named != "" {
		if u, err := url.Parse(named); err != nil || u.Scheme == "" || strings.ContainsAny(named, " \t\n[]") {
			return nil, fmt.Errorf("lab: %s is not the address of a mirror", EnvMirror)
		}
		return []string{named}, nil
	}
	out, err := output(ctx, shortLimit, nil, "apt-get", "indextargets", "--no-release-info",
		"--format", "$(COMPONENT) $(RELEASE) $(REPO_URI)", "Created-By: Packages")
	if err != nil {
		return nil, err
	}
	found := parseMirrors(string(out))
	if len(found) == 0 {
		return nil, ErrNoMirror
	}
	return found, nil
}

// notArchive marks suites that live in another archive than the one with every suite.
var notArchive = regexp.MustCompile(`-(security|updates|backports|proposed-updates)|/updates$`)

// debianSuite is how a line of Debian's own archive names its suite; derivatives
// name theirs otherwise.
var debianSuite = regexp.MustCompile(`^(stable|oldstable|oldoldstable|testing|unstable|sid|buster|bullseye|bookworm|trixie|forky|duke)$`)

func parseMirrors(out string) []string {
	var found []string
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		if len(f) != 3 || f[0] != "main" || notArchive.MatchString(f[1]) || !debianSuite.MatchString(f[1]) {
			continue
		}
		if !slices.Contains(found, f[2]) {
			found = append(found, f[2])
		}
	}
	return found
}

// writeConf makes the private configuration. Only this file is read: the system's
// apt.conf may hold hooks that act on the system's own state.
func (a *apt) writeConf(ctx context.Context, stale bool) error {
	out, err := output(ctx, shortLimit, nil, "apt-config", "dump")
	if err != nil {
		return err
	}
	var b bytes.Buffer
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "Acquire::") && !strings.HasPrefix(line, "Acquire::IndexTargets") {
			b.WriteString(line)
		}
	}
	path := func(rel string) string { return filepath.Join(a.dir, rel) }
	fmt.Fprintf(&b, `Dir::Etc::main "/dev/null";
Dir::Etc::parts "/dev/null";
Dir::Etc::sourcelist %q;
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State %q;
Dir::State::status %q;
Dir::Cache %q;
APT::Install-Recommends "false";
APT::Sandbox::User "";
APT::Get::Assume-Yes "true";
Debug::NoLocking "1";
Acquire::Retries "2";
Acquire::Languages "none";
Acquire::PDiffs "false";
`, path("etc/sources.list"), path("state"), path("status"), path("cache"))
	if stale {
		b.WriteString("Acquire::Check-Valid-Until \"false\";\n")
	}
	if err := os.WriteFile(a.conf, b.Bytes(), 0o600); err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	return nil
}

// update reads the suite's index from the first mirror that has it.
func (a *apt) update(ctx context.Context) error {
	a.progress("index", 0, 100)
	var all error
	for _, mirror := range a.mirrors {
		line := fmt.Sprintf("deb [signed-by=%s] %s %s main\n", a.keyring, mirror, suite)
		if err := os.WriteFile(filepath.Join(a.dir, "etc/sources.list"), []byte(line), 0o600); err != nil {
			return fmt.Errorf("lab: %w", err)
		}
		err := a.run(ctx, updateLimit, "", func(percent float64) {
			a.progress("index", int64(percent), 100)
		}, "update", "--error-on=any")
		if err == nil {
			a.progress("index", 100, 100)
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		all = errors.Join(all, err)
	}
	return all
}

// resolve lists the packages that names need, without the unneeded ones.
func (a *apt) resolve(ctx context.Context, names []string) ([]pkg, error) {
	args := append([]string{"-qq", "--print-uris", "install"}, names...)
	out, err := output(ctx, shortLimit, a.env(), "apt-get", args...)
	if err != nil {
		return nil, err
	}
	list, err := parseURIs(string(out))
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(list, func(p pkg) bool { return isUnneeded(p.name) }), nil
}

// parseURIs reads lines of 'URI' FILE SIZE HASH, FILE being name_version_arch.deb
// with the version percent-encoded.
func parseURIs(out string) ([]pkg, error) {
	var list []pkg
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		if len(f) < 3 || !strings.HasPrefix(f[0], "'") {
			continue
		}
		part := strings.Split(f[1], "_")
		size, err := strconv.ParseInt(f[2], 10, 64)
		if len(part) != 3 || err != nil || size < 0 {
			return nil, fmt.Errorf("lab: apt-get --print-uris: cannot read the line for %q", f[1])
		}
		version, err := url.PathUnescape(part[1])
		if err != nil {
			return nil, fmt.Errorf("lab: apt-get --print-uris: %w", err)
		}
		list = append(list, pkg{name: part[0], version: version, size: size})
	}
	if len(list) == 0 {
		return nil, errors.New("lab: apt-get --print-uris named no package")
	}
	return list, nil
}

func isUnneeded(name string) bool {
	return slices.ContainsFunc(unneeded, func(u string) bool {
		return name == u || strings.HasSuffix(u, "-") && strings.HasPrefix(name, u)
	})
}

// download fetches the archives; apt checks each against the signed index.
func (a *apt) download(ctx context.Context, list []pkg) ([]string, error) {
	var total int64
	args := []string{"download"}
	for _, p := range list {
		total += p.size
		args = append(args, p.name+"="+p.version)
	}
	dir := filepath.Join(a.dir, "archives")
	a.progress("download", 0, total)
	err := a.run(ctx, downloadLimit, dir, func(percent float64) {
		a.progress("download", int64(float64(total)*percent/100), total)
	}, args...)
	if err != nil {
		return nil, err
	}
	a.progress("download", total, total)
	debs := globs(filepath.Join(dir, "*.deb"))
	if len(debs) != len(list) {
		return nil, fmt.Errorf("lab: %d packages asked for, %d came", len(list), len(debs))
	}
	return debs, nil
}

func (a *apt) env() []string { return []string{"APT_CONFIG=" + a.conf, "LC_ALL=C"} }

// run runs apt-get with its machine-readable progress on descriptor 3.
func (a *apt) run(ctx context.Context, limit time.Duration, dir string, percent func(float64), args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	defer r.Close()
	var log bytes.Buffer
	cmd := exec.CommandContext(ctx, "apt-get", append([]string{"-q", "-o", "APT::Status-Fd=3"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), a.env()...)
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.ExtraFiles = []*os.File{w}
	bound(cmd)
	if err := cmd.Start(); err != nil {
		w.Close()
		return fmt.Errorf("lab: %w", err)
	}
	w.Close()
	parsed := make(chan struct{})
	go func() {
		defer close(parsed)
		readStatus(r, percent)
	}()
	err = cmd.Wait()
	r.SetReadDeadline(time.Now()) // a child of apt-get may still hold the pipe
	<-parsed
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("lab: apt-get %s: %w", args[0], context.Cause(ctx))
	}
	return aptError(args[0], log.Bytes(), err)
}

// readStatus reads lines of dlstatus:ITEM:PERCENT:TEXT, see apt's README.progress-reporting.
func readStatus(r io.Reader, percent func(float64)) {
	last := 0.0
	for s := bufio.NewScanner(r); s.Scan(); {
		f := strings.SplitN(s.Text(), ":", 4)
		if len(f) < 4 || f[0] != "dlstatus" {
			continue
		}
		p, err := strconv.ParseFloat(f[2], 64)
		if err != nil || p < last || p > 100 {
			continue
		}
		last = p
		percent(p)
	}
}

// aptError turns apt-get's complaint into one line that names the mend.
func aptError(verb string, log []byte, err error) error {
	if bytes.Contains(log, []byte("is expired (invalid since")) {
		return ErrStaleMirror
	}
	var said []string
	for line := range strings.Lines(string(log)) {
		if strings.HasPrefix(line, "E: ") {
			said = append(said, strings.TrimSpace(line[3:]))
		}
	}
	if len(said) > 3 {
		said = said[:3]
	}
	return fmt.Errorf("lab: apt-get %s: %w: %s (is the mirror in apt's sources reachable?)", verb, err, strings.Join(said, "; "))
}

// unpack lays the archives out under tree, as many at once as there are processors.
func unpack(ctx context.Context, debs []string, tree string, progress func(string, int64, int64)) error {
	if err := os.MkdirAll(tree, 0o700); err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	total := int64(len(debs))
	progress("unpack", 0, total)
	var mu sync.Mutex
	var done int64
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, deb := range debs {
		g.Go(func() error {
			if _, err := output(gctx, shortLimit, nil, "dpkg-deb", "-x", deb, tree); err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			done++
			progress("unpack", done, total)
			return nil
		})
	}
	return g.Wait()
}

// output runs a program with a time limit and returns its standard output.
func output(ctx context.Context, limit time.Duration, env []string, program string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var out, log bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = &out, &log
	bound(cmd)
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, fmt.Errorf("lab: %s %s: %w: %s", program, args[0], err, lastLine(log.Bytes()))
	}
	return out.Bytes(), nil
}

// bound makes the end of the context a polite request, then a kill.
func bound(cmd *exec.Cmd) {
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
}
