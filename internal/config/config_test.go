package config

import (
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const smallest = `organisation:
  name: Mill Street Clinic
  callback_number: "+12065550100"
`

func TestSampleIsExactlyTheDefaults(t *testing.T) {
	got := Default()
	got.at = places{name: "sample", lines: map[string]int{}, env: map[string]string{}}
	require.Empty(t, got.fill(Sample(), nil))
	got.at = places{}
	assert.Equal(t, Default(), got)
}

func TestSampleHoldsEveryKey(t *testing.T) {
	at := places{name: "sample", lines: map[string]int{}, env: map[string]string{}}
	for _, key := range AllKeys() {
		_, err := FilledSample(map[string]string{key: "x"})
		switch key {
		case "organisation.languages", "prompts.command", "prompts.voices":
			assert.ErrorContains(t, err, "no single value for "+key)
		default:
			assert.NoError(t, err)
		}
	}
	assert.Equal(t, "organisation.name", AllKeys()[0])
	assert.Empty(t, at.lines)
}

func TestFilledSample(t *testing.T) {
	values := map[string]string{
		"organisation.name":            `Dr. "O'Neill": #1 Clinic`,
		"organisation.callback_number": "+12065550100",
		"storage.sqlite.path":          "/srv/with space/callward.db",
		"keys.dir":                     "/srv/keys",
	}
	filled, err := FilledSample(values)
	require.NoError(t, err)
	assert.Equal(t, strings.Count(string(Sample()), "#"), strings.Count(string(filled), "#")-1, "comments stay")

	c, err := Decode("callward.yaml", filled, nil)
	require.NoError(t, err)
	assert.Equal(t, values["organisation.name"], c.Organisation.Name)
	assert.Equal(t, "/srv/with space/callward.db", c.Storage.SQLite.Path)
	assert.Equal(t, "/srv/keys/data.keyset", c.Keys.DataKeyset())
	assert.Equal(t, 20*time.Second, c.Queue.RingTimeout, "what was not replaced is the default")
}

// TestBadFiles has one file per mistake, and beside it the message it earns.
func TestBadFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			_, err = Decode("callward.yaml", data, nil)
			require.Error(t, err)
			var one *Error
			require.ErrorAs(t, err, &one)
			assert.NotEmpty(t, one.Mend, "every message names the mend")
			golden(t, strings.TrimSuffix(file, ".yaml")+".txt", err.Error()+"\n")
		})
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(want), got)
}

func TestFilesItNames(t *testing.T) {
	dir := t.TempDir()
	password := filepath.Join(dir, "ari.password")
	file := filepath.Join(dir, "callward.yaml")
	text := smallest + "asterisk:\n  ari:\n    password_file: " + password + "\n    ca_file: " + dir + "/ca.pem\n" +
		"prompts:\n  studio: " + dir + "/studio\n"
	require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
	check := func() string {
		c, err := Load(file, nil)
		require.NoError(t, err)
		if err := c.CheckFiles(); err != nil {
			return strings.ReplaceAll(err.Error(), dir, "DIR")
		}
		return ""
	}

	golden(t, "testdata/files/missing.txt", check())

	require.NoError(t, os.WriteFile(password, []byte("x\n"), 0o640))
	require.NoError(t, os.WriteFile(dir+"/ca.pem", nil, 0o644))
	require.NoError(t, os.Mkdir(dir+"/studio", 0o755))
	golden(t, "testdata/files/group-readable.txt", check())

	require.NoError(t, os.Chmod(password, 0o600))
	assert.Empty(t, check())
}

func TestMissingFile(t *testing.T) {
	_, err := Load("/nonexistent/callward.yaml", nil)
	assert.ErrorIs(t, err, fs.ErrNotExist)
	assert.ErrorContains(t, err, "callward init")
}

func TestEnvironment(t *testing.T) {
	tests := []struct {
		name, env, bad string
		check          func(*testing.T, *Config)
	}{
		{"duration", "CALLWARD_QUEUE_RING_TIMEOUT=25s", "", func(t *testing.T, c *Config) { assert.Equal(t, 25*time.Second, c.Queue.RingTimeout) }},
		{"list", "CALLWARD_ORGANISATION_LANGUAGES=es, en", "", func(t *testing.T, c *Config) { assert.Equal(t, []string{"es", "en"}, c.Organisation.Languages) }},
		{"size", "CALLWARD_RECORDING_MIN_FREE=5MB", "", func(t *testing.T, c *Config) { assert.Equal(t, Size(5_000_000), c.Recording.MinFree) }},
		{"a path for the laboratory shadows nothing", "CALLWARD_ASTERISK=/opt/asterisk", "", func(t *testing.T, c *Config) { assert.Equal(t, "https://127.0.0.1:8089", c.Asterisk.ARI.URL) }},
		{"others' variables", "HOME=/root", "", func(t *testing.T, c *Config) {}},
		{"no unit", "CALLWARD_QUEUE_RING_TIMEOUT=25", `CALLWARD_QUEUE_RING_TIMEOUT: queue.ring_timeout: "25" has no unit; write 25s`, nil},
		{"out of range", "CALLWARD_QUEUE_RING_TIMEOUT=1ms", `CALLWARD_QUEUE_RING_TIMEOUT: queue.ring_timeout: 1ms is out of range; write something from 5s to 2m0s`, nil},
		{"misspelt", "CALLWARD_QUEUE_RING_TIMOUT=25s", "CALLWARD_QUEUE_RING_TIMOUT: overrides no key; did you mean CALLWARD_QUEUE_RING_TIMEOUT?", nil},
		{"a map", "CALLWARD_PROMPTS_VOICES=en", "CALLWARD_PROMPTS_VOICES: prompts.voices: cannot be set from the environment; write it in the file", nil},
		{"a secret", "CALLWARD_ASTERISK_ARI_PASSWORD=x", "CALLWARD_ASTERISK_ARI_PASSWORD: overrides no key; unset it", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Decode("callward.yaml", []byte(smallest), []string{tt.env})
			if tt.bad != "" {
				assert.EqualError(t, err, tt.bad)
				return
			}
			require.NoError(t, err)
			tt.check(t, c)
		})
	}
}

func TestSize(t *testing.T) {
	for text, want := range map[string]Size{"0B": 0, "1GiB": 1 << 30, "512 MiB": 512 << 20, "20kB": 20_000} {
		got, err := ParseSize(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got)
		back, err := ParseSize(got.String())
		require.NoError(t, err)
		assert.Equal(t, got, back)
	}
	for _, text := range []string{"", "5", "MiB", "-1MiB", "1.5GiB", "9999999TiB", "1gib"} {
		_, err := ParseSize(text)
		assert.Error(t, err, text)
	}
}

// FuzzDecode holds that any input either decodes to a checked configuration, which then decodes from its
// own values again, or gives an error that names a mend; and that it never panics.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(smallest))
	f.Add(Sample())
	for _, file := range must(filepath.Glob("testdata/bad/*.yaml")) {
		f.Add(must(os.ReadFile(file)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Decode("callward.yaml", data, nil)
		if err != nil {
			var all Errors
			if !errors.As(err, &all) || len(all) == 0 {
				t.Fatalf("not Errors: %v", err)
			}
			for _, one := range all {
				if one.Mend == "" || one.Problem == "" {
					t.Fatalf("says too little: %v", one)
				}
			}
			return
		}
		if errs := c.check(); len(errs) > 0 {
			t.Fatalf("decoded, and does not pass its own checks: %v", errs)
		}
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
