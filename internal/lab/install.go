// Package lab fetches, configures, starts and stops a real Asterisk without root and
// without containers, for the demo and the tests. Its sub-packages are the scripted
// softphones (softphone) and the recognition of prompts in what they heard
// (recognise).
//
// What may never live here: anything that a production host needs, a name of a
// package mirror, or patient data that is not made up.
package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Install is an Asterisk on this machine with the programs that go with it.
type Install struct {
	// Root is the prefix the packages were unpacked into. Empty when CALLWARD_ASTERISK
	// names an installed Asterisk.
	Root string
	// Version is Asterisk's own, "22.10.1".
	Version string
	// ModulesDir and DataDir are what asterisk.conf calls astmoddir and astdatadir.
	ModulesDir, DataDir string
	// CacheDir is where fetched and rendered things are kept between runs.
	CacheDir string

	asterisk string // the installed program, when Root is empty
	libs     string // the prefix's library directory
	loader   string
}

// prefix is the Install of an unpacked tree.
func prefix(root, cache string) Install {
	in := Install{Root: root, CacheDir: cache, DataDir: filepath.Join(root, "usr/share/asterisk")}
	if found := globs(filepath.Join(root, "usr/lib/*/ld-linux*.so.*")); len(found) > 0 {
		in.loader = found[0]
		in.libs = filepath.Dir(found[0])
	}
	in.ModulesDir = filepath.Join(in.libs, "asterisk/modules")
	return in
}

// installed is the Install of an asterisk that is already on the machine.
func installed(ctx context.Context, path, cache string) (Install, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return Install{}, fmt.Errorf("lab: %s: %w", EnvAsterisk, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
		return Install{}, fmt.Errorf("lab: %s=%s is not a program: give the path of the asterisk program itself", EnvAsterisk, path)
	}
	in := Install{asterisk: path, CacheDir: cache}
	if in.Version, err = version(ctx, in); err != nil {
		return Install{}, err
	}
	base := filepath.Dir(filepath.Dir(path)) // /usr of /usr/sbin/asterisk
	for _, pattern := range []string{"lib/*/asterisk/modules", "lib/asterisk/modules", "lib64/asterisk/modules"} {
		if found := globs(filepath.Join(base, pattern)); len(found) > 0 {
			in.ModulesDir = found[0]
			break
		}
	}
	if in.ModulesDir == "" {
		return Install{}, fmt.Errorf("lab: no asterisk/modules directory under %s/lib: %s must name the program in the place it was installed to", base, EnvAsterisk)
	}
	for _, dir := range []string{filepath.Join(base, "share/asterisk"), "/var/lib/asterisk"} {
		if _, err := os.Stat(filepath.Join(dir, "documentation")); err == nil {
			in.DataDir = dir
			break
		}
	}
	if in.DataDir == "" {
		return Install{}, fmt.Errorf("lab: no asterisk/documentation directory under %s/share or /var/lib", base)
	}
	return in, nil
}

// Command runs asterisk, espeak-ng or age of this Install. A fetched program runs
// through the loader and the libraries it was fetched with, so the host's may be older.
func (i Install) Command(ctx context.Context, program string, args ...string) *exec.Cmd {
	argv, env := i.CommandLine(program)
	cmd := exec.CommandContext(ctx, argv[0], append(argv[1:], args...)...)
	cmd.Env = append(os.Environ(), env...)
	return cmd
}

// CommandLine is what Command runs, for those who start it themselves: the words of
// the command and what to add to the environment.
func (i Install) CommandLine(program string) (argv, env []string) {
	if i.Root == "" {
		if program == "asterisk" {
			program = i.asterisk
		}
		return []string{program}, nil
	}
	path := filepath.Join(i.Root, "usr/bin", program)
	if _, err := os.Stat(path); err != nil {
		path = filepath.Join(i.Root, "usr/sbin", program)
	}
	return []string{i.loader, "--library-path", i.libs + ":" + filepath.Join(i.libs, "pulseaudio"), path},
		[]string{"ESPEAK_DATA_PATH=" + i.libs}
}

// oldest is the first release with the fixes we insist on: 20 advisories, among them
// ARI ignoring live_dangerously and read-only accounts that could write.
var oldest = [2]int{22, 10}

// ErrTooOld: an Asterisk without those fixes.
var ErrTooOld = errors.New("lab: Asterisk is older than 22.10, whose security fixes are needed: upgrade it, or let it be fetched")

var versionLine = regexp.MustCompile(`^Asterisk (?:certified-)?((\d+)\.(\d+)[0-9.]*)`)

// version asks asterisk and refuses one that is too old.
func version(ctx context.Context, in Install) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	cmd := in.Command(ctx, "asterisk", "-V")
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("lab: asterisk -V: %w: %s", err, lastLine(out))
	}
	return parseVersion(string(out))
}

func parseVersion(out string) (string, error) {
	m := versionLine.FindStringSubmatch(out)
	if m == nil {
		return "", fmt.Errorf("lab: asterisk -V said %q, no version", strings.TrimSpace(out))
	}
	major, _ := strconv.Atoi(m[2])
	minor, _ := strconv.Atoi(m[3])
	if major < oldest[0] || major == oldest[0] && minor < oldest[1] {
		return "", fmt.Errorf("%w (it is %s)", ErrTooOld, m[1])
	}
	return m[1], nil
}

// debArch is Debian's name for this machine's architecture.
func debArch() string {
	switch runtime.GOARCH {
	case "386":
		return "i386"
	case "arm":
		return "armhf"
	case "ppc64le":
		return "ppc64el"
	}
	return runtime.GOARCH
}
