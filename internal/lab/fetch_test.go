package lab

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// env is an environment with only these words.
func env(vars map[string]string) func(string) string {
	return func(name string) string { return vars[name] }
}

// From an empty directory: two at once make one download, progress only grows, the
// second time nothing is done, and what is there runs.
func TestFetchFromNothing(t *testing.T) {
	dir := t.TempDir()
	type step struct {
		stage       string
		done, total int64
	}
	var mu sync.Mutex
	fetches := 0
	fetchOnce := func() (Install, []step, error) {
		var steps []step
		in, err := Fetch(t.Context(), FetchOptions{Dir: dir, Progress: func(stage string, done, total int64) {
			if stage == "unpack" && done == 0 {
				mu.Lock()
				fetches++
				mu.Unlock()
			}
			steps = append(steps, step{stage, done, total})
		}})
		return in, steps, err
	}
	var wg sync.WaitGroup
	var ins [2]Install
	for i := range ins {
		wg.Go(func() {
			in, steps, err := fetchOnce()
			assert.NoError(t, err)
			ins[i] = in
			last := step{}
			for _, s := range steps {
				assert.LessOrEqual(t, s.done, s.total)
				assert.Positive(t, s.total)
				if s.stage == last.stage {
					assert.GreaterOrEqual(t, s.done, last.done, s.stage)
				}
				last = s
			}
		})
	}
	wg.Wait()
	require.Equal(t, 1, fetches)
	assert.Equal(t, ins[0], ins[1])
	assert.Regexp(t, `^22\.\d+\.\d+$`, ins[0].Version)

	again, steps, err := fetchOnce()
	require.NoError(t, err)
	assert.Equal(t, ins[0], again)
	assert.Empty(t, steps, "the second time is instant")
	left, err := os.ReadDir(filepath.Join(dir, "asterisk"))
	require.NoError(t, err)
	assert.Len(t, left, 2, "the tree and the lock")

	for program, arg := range map[string]string{"asterisk": "-V", "espeak-ng": "--version", "age": "--version"} {
		out, err := again.Command(t.Context(), program, arg).CombinedOutput()
		assert.NoError(t, err, "%s: %s", program, out)
	}
	sounds := globs(filepath.Join(again.Root, "usr/share/asterisk/sounds/en*"))
	assert.Empty(t, sounds, "no sound files but our own")
}

// Ctrl-C leaves nothing behind, and the next run starts afresh.
func TestFetchInterrupted(t *testing.T) {
	for _, stage := range []string{"index", "download"} {
		t.Run(stage, func(t *testing.T) {
			dir := t.TempDir()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			_, err := Fetch(ctx, FetchOptions{Dir: dir, Progress: func(s string, _, _ int64) {
				if s == stage {
					cancel()
				}
			}})
			require.ErrorIs(t, err, context.Canceled)
			left, err := os.ReadDir(filepath.Join(dir, "asterisk"))
			require.NoError(t, err)
			require.Len(t, left, 1)
			assert.Equal(t, "lock", left[0].Name())
		})
	}
}

func TestLockWaitsAndGivesUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := lock(t.Context(), path, func() { t.Error("nobody holds it") })
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	_, err = lock(ctx, path, cancel) // gives up once it has begun to wait
	require.ErrorIs(t, err, context.Canceled)

	waiting := make(chan struct{}, 100)
	got := make(chan error, 1)
	go func() {
		unlock, err := lock(t.Context(), path, func() { waiting <- struct{}{} })
		if err == nil {
			unlock()
		}
		got <- err
	}()
	<-waiting
	unlock()
	assert.NoError(t, <-got)
}

// programs makes a directory of shell scripts, to be the whole PATH with the system's
// shell utilities.
func programs(t *testing.T, scripts map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range scripts {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text+"\n"), 0o755))
	}
	return dir
}

func TestFetchNamesTheMend(t *testing.T) {
	const sources = `echo 'main bookworm http://mirror.example/debian/'`
	for _, tc := range []struct {
		name    string
		scripts map[string]string
		want    error
		words   []string
	}{
		{"no apt", nil, ErrNoApt, []string{EnvAsterisk + "=/path/to/asterisk", "Docker", "ARI URL"}},
		{"no Debian mirror", map[string]string{
			"apt-get": `echo 'main jammy http://mirror.example/ubuntu/'`, "apt-config": "", "dpkg-deb": "",
		}, ErrNoMirror, []string{EnvMirror}},
		{"frozen mirror", map[string]string{
			"apt-get": `case "$*" in *indextargets*) ` + sources + `;;
				*) echo "E: Release file for http://mirror.example/debian/dists/forky/InRelease is expired (invalid since 3d 4h). Updates for this repository will not be applied."; exit 100;; esac`,
			"apt-config": "", "dpkg-deb": "",
		}, ErrStaleMirror, []string{EnvStale + "=1"}},
		{"mirror away", map[string]string{
			"apt-get":    `case "$*" in *indextargets*) ` + sources + `;; *) echo "E: Failed to fetch, could not connect"; exit 100;; esac`,
			"apt-config": "", "dpkg-deb": "",
		}, nil, []string{"could not connect", "reachable?"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Setenv("PATH", programs(t, tc.scripts))
			_, err := Fetch(t.Context(), FetchOptions{Dir: t.TempDir(), Getenv: env(nil)})
			require.Error(t, err)
			if tc.want != nil {
				assert.ErrorIs(t, err, tc.want)
			}
			for _, w := range tc.words {
				assert.ErrorContains(t, err, w)
			}
		})
	}
}

// apt-get works on a private state only, keeps the host's Acquire settings, leaves out
// its hooks, and accepts a frozen mirror only by choice.
func TestPrivateAptState(t *testing.T) {
	for _, stale := range []string{"", "1"} {
		seen := t.TempDir()
		t.Setenv("PATH", programs(t, map[string]string{
			"apt-get": `case "$*" in *indextargets*) echo 'main bookworm http://mirror.example/debian/';;
				*) /bin/cp "$APT_CONFIG" ` + seen + `/conf; echo "$*" > ` + seen + `/args; exit 100;; esac`,
			"apt-config": `echo 'Acquire::http::Proxy "http://proxy.example:3128";'
				echo 'APT::Update::Post-Invoke:: "rm -rf /";'`,
			"dpkg-deb": "",
		}))
		_, err := Fetch(t.Context(), FetchOptions{Dir: t.TempDir(), Getenv: env(map[string]string{EnvStale: stale})})
		require.Error(t, err)
		conf, err := os.ReadFile(filepath.Join(seen, "conf"))
		require.NoError(t, err)
		assert.Contains(t, string(conf), "proxy.example")
		assert.NotContains(t, string(conf), "Post-Invoke")
		for _, key := range []string{"Dir::State ", "Dir::State::status ", "Dir::Cache ", "Dir::Etc::sourcelist "} {
			assert.Regexp(t, key+`"/.*/stage-`, string(conf))
		}
		assert.Equal(t, stale == "1", strings.Contains(string(conf), "Check-Valid-Until"))
	}
}

func TestMirrors(t *testing.T) {
	out := `main bookworm http://a.example/debian/
main bookworm-updates http://a.example/debian/
main bookworm-security http://a.example/debian-security/
contrib bookworm http://b.example/debian/
main nodistro https://c.example/node/
main trixie http://d.example/debian/
main trixie http://d.example/debian/
`
	assert.Equal(t, []string{"http://a.example/debian/", "http://d.example/debian/"}, parseMirrors(out))

	got, err := mirrors(t.Context(), "https://e.example/debian")
	require.NoError(t, err)
	assert.Equal(t, []string{"https://e.example/debian"}, got)
	for _, bad := range []string{"e.example", "http://e.example/ [trusted=yes]", "://"} {
		_, err := mirrors(t.Context(), bad)
		assert.ErrorContains(t, err, EnvMirror)
	}
}

func TestParseURIs(t *testing.T) {
	list, err := parseURIs("'http://m.example/a_1%3a2.0%2bb_amd64.deb' asterisk_1%3a22.10.1+dfsg_amd64.deb 2534036 SHA256:ab\n" +
		"Reading...\n'http://m.example/p' perl-modules-5.42_5.42.3-1_all.deb 5 SHA256:cd\n")
	require.NoError(t, err)
	assert.Equal(t, []pkg{{"asterisk", "1:22.10.1+dfsg", 2534036}, {"perl-modules-5.42", "5.42.3-1", 5}}, list)
	for _, bad := range []string{"", "'x' name 1 SHA256:1\n", "'x' a_1_all.deb many SHA256:1\n", "'x' a_1_all.deb -5 SHA256:1\n"} {
		_, err := parseURIs(bad)
		assert.Error(t, err, bad)
	}
	assert.True(t, isUnneeded("perl-modules-5.42"))
	assert.True(t, isUnneeded("asterisk-core-sounds-en-gsm"))
	assert.False(t, isUnneeded("asterisk-modules"))
	assert.False(t, isUnneeded("libssl3t64"))
}

func TestReadStatus(t *testing.T) {
	var got []float64
	readStatus(strings.NewReader("dlstatus:1:10.5:Retrieving\npmstatus:x:50:no\ndlstatus:2:5:back\nrubbish\ndlstatus:3:nan?:x\ndlstatus:3:100:done\n"),
		func(p float64) { got = append(got, p) })
	assert.Equal(t, []float64{10.5, 100}, got)
}

func TestParseVersion(t *testing.T) {
	for out, want := range map[string]string{
		"Asterisk 22.10.1~dfsg+~cs6.17\n": "22.10.1",
		"Asterisk 22.10.1+dfsg-1":         "22.10.1",
		"Asterisk 23.0.0":                 "23.0.0",
		"Asterisk certified-22.10-cert1":  "22.10",
	} {
		got, err := parseVersion(out)
		require.NoError(t, err, out)
		assert.Equal(t, want, got)
	}
	for _, out := range []string{"Asterisk 22.9.3", "Asterisk 20.20.0", "Asterisk 18.1", "Asterisk certified-20.7-cert3"} {
		_, err := parseVersion(out)
		assert.ErrorIs(t, err, ErrTooOld, out)
	}
	_, err := parseVersion("bash: no")
	assert.ErrorContains(t, err, "no version")
}

func TestInstalledAsterisk(t *testing.T) {
	tree := t.TempDir()
	program := filepath.Join(tree, "sbin/asterisk")
	write := func(version string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(program), 0o755))
		require.NoError(t, os.WriteFile(program, []byte("#!/bin/sh\necho 'Asterisk "+version+"'\n"), 0o755))
	}
	fetch := func() (Install, error) {
		return Fetch(t.Context(), FetchOptions{Dir: t.TempDir(), Getenv: env(map[string]string{EnvAsterisk: program})})
	}
	_, err := fetch()
	assert.ErrorContains(t, err, EnvAsterisk)
	write("22.4.0")
	_, err = fetch()
	assert.ErrorIs(t, err, ErrTooOld)
	write("22.10.2")
	_, err = fetch()
	assert.ErrorContains(t, err, "asterisk/modules")
	require.NoError(t, os.MkdirAll(filepath.Join(tree, "lib/asterisk/modules"), 0o755))
	require.NoError(t, os.MkdirAll(filepath.Join(tree, "share/asterisk/documentation"), 0o755))
	in, err := fetch()
	require.NoError(t, err)
	assert.Equal(t, "22.10.2", in.Version)
	assert.Empty(t, in.Root)
	assert.Equal(t, filepath.Join(tree, "lib/asterisk/modules"), in.ModulesDir)
	out, err := in.Command(t.Context(), "asterisk", "-V").Output()
	require.NoError(t, err)
	assert.Contains(t, string(out), "22.10.2")
}

func TestCerts(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tls")
	now := time.Now()
	first, err := MakeCerts(dir, now)
	require.NoError(t, err)
	before, err := os.ReadFile(first.CertFile)
	require.NoError(t, err)
	info, err := os.Stat(first.KeyFile)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode())

	_, err = MakeCerts(dir, now.AddDate(0, 6, 0))
	require.NoError(t, err)
	same, err := os.ReadFile(first.CertFile)
	require.NoError(t, err)
	assert.Equal(t, before, same, "good ones are kept")
	_, err = MakeCerts(dir, now.AddDate(1, 0, 0))
	require.NoError(t, err)
	other, err := os.ReadFile(first.CertFile)
	require.NoError(t, err)
	assert.NotEqual(t, before, other, "old ones are not")
}

// The prompts as espeak-ng speaks them: audible, not clipped, not long.
func TestPromptsAreWellSpoken(t *testing.T) {
	in, err := Fetch(t.Context(), FetchOptions{})
	require.NoError(t, err)
	r, err := Prompts(in, t.TempDir(), map[string]string{
		"organisation": "Sample Clinic", "callback": "+15550100199", "agent": "Alice Moreno",
	})
	require.NoError(t, err)
	require.NoError(t, r.RenderAll(t.Context(), nil))
	limit := map[string]float64{
		"greeting": 12, "ask_consent": 20, "third_party_ask_consent": 20, "menu": 18, "away": 18,
		"billing_ask_date": 16, "identify_intro": 14, "agent_announce": 14, "consent_reask": 12,
	}
	for _, lang := range r.Catalogue().Languages() {
		for _, id := range r.Catalogue().IDs() {
			pcm, err := r.PCM(t.Context(), lang, id, nil)
			require.NoError(t, err)
			name := lang + " " + id
			seconds := float64(len(pcm)) / 8000
			most := limit[id]
			if most == 0 {
				most = 10
			}
			assert.Greater(t, seconds, 1.0, name)
			assert.Less(t, seconds, most, name)
			var peak, power float64
			for _, v := range pcm {
				s := float64(v) / 32768
				peak = max(peak, math.Abs(s))
				power += s * s
			}
			assert.Less(t, peak, 0.85, "%s is clipped", name)
			assert.Greater(t, math.Sqrt(power/float64(len(pcm))), 0.06, "%s is faint", name)
			t.Logf("%-32s %5.1f s", name, seconds)
		}
	}
}

// Asterisk dies with us, even when nobody can say goodbye.
func TestDiesWithUs(t *testing.T) {
	if dir := os.Getenv("LAB_TEST_CHILD"); dir != "" {
		in, err := Fetch(context.Background(), FetchOptions{})
		if err == nil {
			var a *Asterisk
			if a, err = StartAsterisk(context.Background(), in, AsteriskOptions{Dir: dir}); err == nil {
				fmt.Println("pid", a.PID())
				select {}
			}
		}
		fmt.Println("error", err)
		os.Exit(1)
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestDiesWithUs$")
	child.Env = append(os.Environ(), "LAB_TEST_CHILD="+t.TempDir())
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	var word, value string
	_, err = fmt.Fscan(out, &word, &value)
	require.NoError(t, err)
	require.Equal(t, "pid", word, value)
	pid, err := strconv.Atoi(value)
	require.NoError(t, err)
	fd, err := unix.PidfdOpen(pid, 0)
	require.NoError(t, err)
	defer unix.Close(fd)
	require.NoError(t, child.Process.Signal(syscall.SIGKILL))
	child.Wait()
	n, err := pollAgain([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 20_000)
	require.NoError(t, err)
	assert.Equal(t, 1, n, "Asterisk outlived us")
}

func pollAgain(fds []unix.PollFd, ms int) (int, error) {
	for {
		n, err := unix.Poll(fds, ms)
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}
