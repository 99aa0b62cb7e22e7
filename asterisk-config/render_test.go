package asteriskconfig_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	asteriskconfig "github.com/callward/callward/asterisk-config"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// site is a small clinic under dir.
func site(dir string) asteriskconfig.Site {
	return asteriskconfig.Site{
		ModulesDir: "/usr/lib/asterisk/modules", DataDir: "/usr/share/asterisk",
		VarDir: dir + "/var", SpoolDir: dir + "/spool", RunDir: dir + "/run", LogDir: dir + "/log",
		SIPBind: "0.0.0.0:5061", HTTPSBind: "127.0.0.1:8089",
		RTPStart: 10000, RTPEnd: 10999,
		CertFile: "/etc/callward/cert.pem", KeyFile: "/etc/callward/key.pem", CAFile: "/etc/callward/ca.pem",
		App: "callward", ARIUser: "callward", ARIPassword: "ari-password-0123456",
		FastAGI: "127.0.0.1:4573", PromptsDir: "/var/lib/callward/prompts",
		Agents: []asteriskconfig.AgentPhone{
			{ID: "agent-alice", Password: "alice-password-0123", CallerIDName: "Alice Moreno"},
			{ID: "agent-bob", Password: "bob-password-012345"},
		},
		Patients: []asteriskconfig.Phone{
			{ID: "patient", Password: "patient-password-01"},
			{ID: "carrier", Contact: "sips:trunk.example.org", Match: []string{"192.0.2.0/24", "2001:db8::1"}},
		},
		Interpreters: []asteriskconfig.Phone{{ID: "interpreter", Password: "interp-password-012"}},
		Emergency: []asteriskconfig.Phone{
			{ID: "psap", Password: "psap-password-01234", Contact: "sip:psap.example.org;transport=tls"},
			{ID: "psap-second", Contact: "sips:second.example.org", Match: []string{"198.51.100.7"}},
		},
	}
}

// read is every rendered file, with the test's own directory written as DIR.
func read(t *testing.T, dir string) map[string]string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "etc", "*"))
	require.NoError(t, err)
	files := map[string]string{}
	for _, name := range names {
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		files[filepath.Base(name)] = strings.ReplaceAll(string(b), dir, "DIR")
	}
	return files
}

// Golden files show what an administrator reads.
func TestGolden(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, asteriskconfig.Render(dir+"/etc", site(dir)))
	files := read(t, dir)
	if *update {
		require.NoError(t, os.RemoveAll("testdata/golden"))
		require.NoError(t, os.MkdirAll("testdata/golden", 0o755))
		for name, text := range files {
			require.NoError(t, os.WriteFile("testdata/golden/"+name, []byte(text), 0o644))
		}
	}
	golden, err := filepath.Glob("testdata/golden/*.conf")
	require.NoError(t, err)
	assert.Len(t, golden, len(files))
	for name, got := range files {
		want, err := os.ReadFile("testdata/golden/" + name)
		require.NoError(t, err)
		assert.Equal(t, string(want), got, "%s: run go test ./asterisk-config -update and read the difference", name)
	}
}

// statements are the lines of a file that say something.
func statements(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, ";") {
			lines = append(lines, line)
		}
	}
	return lines
}

// The promises of the package comment.
func TestNothingRecordsOrTells(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, asteriskconfig.Render(dir+"/etc", site(dir)))
	files := read(t, dir)

	forbidden := []string{
		"app_mixmonitor", "app_record", "app_voicemail", "app_dictate", "app_minivm", "app_confbridge",
		"app_queue", "app_chanspy", "app_system", "app_externalivr", "app_verbose", "func_shell", "pbx_spool",
		"one_touch_record_info", "res_pjsip_logger", "res_pjsip_history", "res_phoneprov", "res_fax",
		"cdr_", "cel_", "res_hep", "res_snmp", "app_adsiprog", "chan_iax2", "res_pjsip_refer",
	}
	for _, line := range statements(files["modules.conf"]) {
		for _, module := range forbidden {
			assert.NotContains(t, line, module)
		}
		assert.NotRegexp(t, `^autoload\s*=\s*yes`, line)
	}
	for name, text := range files {
		for _, line := range statements(text) {
			assert.NotRegexp(t, `(?i)mixmonitor|\brecord\(|monitor\(|verbose\(|noop\(.+\)|log\(|live_dangerously\s*=\s*yes|dumpcore\s*=\s*yes`, line, name)
		}
	}
	for _, line := range statements(files["logger.conf"]) {
		assert.NotRegexp(t, `dtmf|verbose|debug|notice|security|trace`, line)
	}
	assert.Contains(t, files["http.conf"], "\nenabled = no\n")
	assert.NotRegexp(t, `(?m)^protocol\s*=\s*(udp|tcp|ws|wss)`, files["pjsip.conf"])
	assert.NotRegexp(t, `(?m)^media_encryption_optimistic\s*=\s*yes`, files["pjsip.conf"])
}

// Nothing that anyone else could read, and a spool nobody can record into.
func TestModes(t *testing.T) {
	dir := t.TempDir()
	s := site(dir)
	require.NoError(t, os.MkdirAll(s.SpoolDir, 0o755))
	require.NoError(t, asteriskconfig.Render(dir+"/etc", s))
	require.NoError(t, asteriskconfig.Render(dir+"/etc", s), "a second time changes nothing")
	names, err := filepath.Glob(dir + "/etc/*")
	require.NoError(t, err)
	for _, name := range append(names, s.SpoolDir+"/recording") {
		info, err := os.Stat(name)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode(), name)
	}
	for _, name := range []string{s.VarDir, s.SpoolDir, s.RunDir, s.LogDir} {
		info, err := os.Stat(name)
		require.NoError(t, err)
		assert.Equal(t, os.ModeDir|0o700, info.Mode(), name)
	}
	assert.Error(t, os.MkdirAll(s.SpoolDir+"/recording", 0o700))

	require.NoError(t, os.Remove(s.SpoolDir+"/recording"))
	require.NoError(t, os.Mkdir(s.SpoolDir+"/recording", 0o700))
	assert.ErrorContains(t, asteriskconfig.Render(dir+"/etc", s), "keeps Asterisk from recording")
}

func TestBenchIsAVariant(t *testing.T) {
	dir := t.TempDir()
	s := site(dir)
	s.Bench = true
	require.NoError(t, asteriskconfig.Render(dir+"/etc", s))
	files := read(t, dir)
	assert.Contains(t, files["modules.conf"], "load = app_mixmonitor.so")
	assert.Contains(t, files["extensions.conf"], "[bench]")
}

func TestRenderRefuses(t *testing.T) {
	type edit = func(*asteriskconfig.Site)
	for _, tc := range []struct {
		name string
		edit edit
		want string
	}{
		{"relative path", func(s *asteriskconfig.Site) { s.PromptsDir = "prompts" }, "PromptsDir must be an absolute path"},
		{"comment in a path", func(s *asteriskconfig.Site) { s.LogDir = "/log;x" }, "LogDir"},
		{"expression in a path", func(s *asteriskconfig.Site) { s.PromptsDir = "/p/${SHELL(id)}" }, "PromptsDir"},
		{"new line in a path", func(s *asteriskconfig.Site) { s.KeyFile = "/k\nenabled = yes" }, "KeyFile"},
		{"long run directory", func(s *asteriskconfig.Site) { s.RunDir = "/" + strings.Repeat("x", 100) }, "at most 90 bytes"},
		{"ARI from outside", func(s *asteriskconfig.Site) { s.HTTPSBind = "0.0.0.0:8089" }, "loopback"},
		{"no port", func(s *asteriskconfig.Site) { s.SIPBind = "127.0.0.1" }, "SIPBind"},
		{"few media ports", func(s *asteriskconfig.Site) { s.RTPEnd = s.RTPStart + 3 }, "ten ports"},
		{"application", func(s *asteriskconfig.Site) { s.App = "a,b" }, "App must be"},
		{"short ARI password", func(s *asteriskconfig.Site) { s.ARIPassword = "short;" }, "ARIPassword"},
		{"FastAGI", func(s *asteriskconfig.Site) { s.FastAGI = "" }, "FastAGI"},
		{"no agents", func(s *asteriskconfig.Site) { s.Agents = nil }, "reach a human"},
		{"no emergency trunk", func(s *asteriskconfig.Site) { s.Emergency = nil }, "takes 911"},
		{"id twice", func(s *asteriskconfig.Site) { s.Patients[0].ID = "agent-bob" }, "used twice"},
		{"reserved id", func(s *asteriskconfig.Site) { s.Patients[0].ID = "phone" }, "reserved"},
		{"dialplan in an id", func(s *asteriskconfig.Site) { s.Agents[0].ID = "a&PJSIP/b" }, "phone id"},
		{"no password", func(s *asteriskconfig.Site) { s.Agents[0].Password = "" }, "neither a password"},
		{"weak password", func(s *asteriskconfig.Site) { s.Agents[0].Password = "1234" }, `the password of phone "agent-alice"`},
		{"caller id", func(s *asteriskconfig.Site) { s.Agents[0].CallerIDName = `x" <911>` }, "CallerIDName"},
		{"plain contact", func(s *asteriskconfig.Site) { s.Emergency[0].Contact = "sip:psap.example.org" }, "not encrypted"},
		{"not a contact", func(s *asteriskconfig.Site) { s.Emergency[0].Contact = "tel:911" }, "SIP URI"},
		{"not an address", func(s *asteriskconfig.Site) { s.Patients[1].Match = []string{"trunk.example.org"} }, "addresses or prefixes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			s := site(dir)
			tc.edit(&s)
			err := asteriskconfig.Render(dir+"/etc", s)
			require.ErrorContains(t, err, tc.want)
			assert.NoDirExists(t, dir+"/etc", "nothing is written")
			for _, secret := range []string{"short;", "1234", "ari-password", "alice-password"} {
				assert.NotContains(t, err.Error(), secret)
			}
		})
	}
}
