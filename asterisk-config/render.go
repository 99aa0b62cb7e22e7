package asteriskconfig

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"text/template"
)

//go:embed conf
var conf embed.FS

// view is a Site as the templates see it.
type view struct {
	Site
	Etc       string
	Endpoints []endpoint
	AgentDial string // PJSIP/a&PJSIP/b
}

// endpoint is one SIP account in pjsip.conf.
type endpoint struct {
	Phone
	Role       string
	Context    string
	IdentifyBy string
	CallerID   string
	Inbound    bool // it must authenticate what it sends
}

// Render checks s and writes the configuration into dir, files with mode 0600, and
// makes the directories Asterisk writes to. An error names the field and the mend;
// none of them holds a password.
func Render(dir string, s Site) error {
	if s.RTPTimeout == 0 {
		s.RTPTimeout = 30
	}
	if err := check(dir, s); err != nil {
		return err
	}
	files, err := execute(dir, s)
	if err != nil {
		return err
	}
	if err := makeDirs(s); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("asterisk-config: %w", err)
	}
	for name, text := range files {
		if err := writeFile(filepath.Join(dir, name), text); err != nil {
			return err
		}
	}
	return nil
}

// execute fills every template in.
func execute(dir string, s Site) (map[string][]byte, error) {
	v := view{Site: s, Etc: dir, Endpoints: endpoints(s)}
	var dial []string
	for _, a := range s.Agents {
		dial = append(dial, "PJSIP/"+a.ID)
	}
	v.AgentDial = strings.Join(dial, "&")

	files := map[string][]byte{}
	names, err := fs.Glob(conf, "conf/*.conf")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		t, err := template.New(filepath.Base(name)).Option("missingkey=error").ParseFS(conf, name)
		if err != nil {
			return nil, fmt.Errorf("asterisk-config: %w", err)
		}
		var b bytes.Buffer
		if err := t.Execute(&b, v); err != nil {
			return nil, fmt.Errorf("asterisk-config: %w", err)
		}
		files[filepath.Base(name)] = b.Bytes()
	}
	return files, nil
}

// endpoints lists the accounts in the order of the file.
func endpoints(s Site) []endpoint {
	var all []endpoint
	add := func(role, context string, p Phone) {
		e := endpoint{Phone: p, Role: role, Context: context, IdentifyBy: "username,auth_username", Inbound: len(p.Match) == 0}
		if context == "from-patient" { // From is the caller's, not the trunk's
			e.IdentifyBy = "auth_username"
		}
		if len(p.Match) > 0 {
			e.IdentifyBy = "ip"
		}
		if p.CallerIDName != "" {
			e.CallerID = fmt.Sprintf("%q <%s>", p.CallerIDName, p.ID)
		}
		all = append(all, e)
	}
	for _, a := range s.Agents {
		add("agent", "from-agent", Phone{ID: a.ID, Password: a.Password, CallerIDName: a.CallerIDName})
	}
	for _, p := range s.Interpreters {
		add("interpreter", "from-agent", p)
	}
	for _, p := range s.Patients {
		add("patients", "from-patient", p)
	}
	for _, p := range s.Emergency {
		add("emergency services", "refused", p)
	}
	return all
}

var (
	safeID       = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)
	safePassword = regexp.MustCompile(`^[A-Za-z0-9+/=_.~-]{16,128}$`)
	safePath     = regexp.MustCompile(`^/[^;\n\r"$\[\]{}()&|,]*$`)
	safeName     = regexp.MustCompile(`^[\p{L}\p{N} .'-]{1,64}$`)
	safeContact  = regexp.MustCompile(`^sips?:[A-Za-z0-9_.+@:\[\]=%-]+(;[a-z]+(=[A-Za-z0-9_.-]+)?)*$`)
)

// check refuses what would be unsafe or would break a line of the configuration.
func check(dir string, s Site) error {
	for _, f := range []struct{ name, path string }{
		{"the directory", dir}, {"ModulesDir", s.ModulesDir}, {"DataDir", s.DataDir}, {"VarDir", s.VarDir},
		{"SpoolDir", s.SpoolDir}, {"RunDir", s.RunDir}, {"LogDir", s.LogDir}, {"CertFile", s.CertFile},
		{"KeyFile", s.KeyFile}, {"CAFile", s.CAFile}, {"PromptsDir", s.PromptsDir},
	} {
		if !safePath.MatchString(f.path) {
			return fmt.Errorf("asterisk-config: %s must be an absolute path without ; , $ or brackets, not %q", f.name, f.path)
		}
	}
	if len(s.RunDir) > 90 {
		return fmt.Errorf("asterisk-config: RunDir is longer than a control socket's name may be: choose a path of at most 90 bytes")
	}
	if _, err := netip.ParseAddrPort(s.SIPBind); err != nil {
		return fmt.Errorf("asterisk-config: SIPBind must be address:port: %w", err)
	}
	https, err := netip.ParseAddrPort(s.HTTPSBind)
	if err != nil {
		return fmt.Errorf("asterisk-config: HTTPSBind must be address:port: %w", err)
	}
	if !https.Addr().IsLoopback() {
		return fmt.Errorf("asterisk-config: HTTPSBind must be a loopback address: ARI controls every call; put a tunnel in front to reach it from elsewhere")
	}
	if s.RTPStart < 1024 || s.RTPEnd > 65535 || s.RTPEnd-s.RTPStart < 9 {
		return fmt.Errorf("asterisk-config: RTPStart-RTPEnd must span at least ten ports within 1024-65535")
	}
	if s.RTPTimeout < 1 {
		return fmt.Errorf("asterisk-config: RTPTimeout must be a positive number of seconds")
	}
	for _, f := range []struct{ name, id string }{{"App", s.App}, {"ARIUser", s.ARIUser}} {
		if !safeID.MatchString(f.id) {
			return fmt.Errorf("asterisk-config: %s must be letters, digits, - and _", f.name)
		}
	}
	if !safePassword.MatchString(s.ARIPassword) {
		return fmt.Errorf("asterisk-config: ARIPassword must be 16 to 128 letters, digits or + / = _ . ~ -")
	}
	if _, err := netip.ParseAddrPort(s.FastAGI); err != nil {
		return fmt.Errorf("asterisk-config: FastAGI must be address:port: %w", err)
	}
	return checkPhones(s)
}

func checkPhones(s Site) error {
	if len(s.Agents) == 0 {
		return fmt.Errorf("asterisk-config: Agents is empty: a patient must be able to reach a human")
	}
	if len(s.Emergency) == 0 {
		return fmt.Errorf("asterisk-config: Emergency is empty: name the trunk that takes 911 (47 CFR 9.16)")
	}
	seen := map[string]bool{"global": true, "system": true, "transport-tls": true, "phone": true, "account": true, "location": true}
	for _, e := range endpoints(s) {
		switch {
		case !safeID.MatchString(e.ID):
			return fmt.Errorf("asterisk-config: phone id %q must be letters, digits, - and _", e.ID)
		case seen[e.ID]:
			return fmt.Errorf("asterisk-config: phone id %q is used twice or reserved", e.ID)
		case e.Password == "" && (len(e.Match) == 0 || e.Contact == "" && e.Context != "from-patient"):
			return fmt.Errorf("asterisk-config: phone %q has neither a password nor addresses it is known by", e.ID)
		case e.Password != "" && !safePassword.MatchString(e.Password):
			return fmt.Errorf("asterisk-config: the password of phone %q must be 16 to 128 letters, digits or + / = _ . ~ -", e.ID)
		case e.CallerIDName != "" && !safeName.MatchString(e.CallerIDName):
			return fmt.Errorf("asterisk-config: CallerIDName of phone %q may hold letters, digits, space . ' and -", e.ID)
		case e.Contact != "" && !safeContact.MatchString(e.Contact):
			return fmt.Errorf("asterisk-config: Contact of phone %q must be a SIP URI such as sips:trunk.example.org", e.ID)
		case e.Contact != "" && !strings.HasPrefix(e.Contact, "sips:") && !strings.Contains(e.Contact, ";transport=tls"):
			return fmt.Errorf("asterisk-config: Contact of phone %q is not encrypted: write sips: or add ;transport=tls", e.ID)
		}
		seen[e.ID] = true
		for _, m := range e.Match {
			_, errAddr := netip.ParseAddr(m)
			_, errPrefix := netip.ParsePrefix(m)
			if errAddr != nil && errPrefix != nil {
				return fmt.Errorf("asterisk-config: Match of phone %q must hold addresses or prefixes, not %q", e.ID, m)
			}
		}
	}
	return nil
}

// makeDirs makes what Asterisk writes to, and makes recording there impossible:
// SPOOL/recording is a plain empty file, so no directory of that name can be.
func makeDirs(s Site) error {
	dirs := []string{s.VarDir, filepath.Join(s.VarDir, "cache"), filepath.Join(s.VarDir, "agi-bin"), filepath.Join(s.VarDir, "keys"), s.SpoolDir, s.RunDir, s.LogDir}
	if s.Bench {
		dirs = append(dirs, filepath.Join(s.SpoolDir, "bench"))
	}
	for _, dir := range dirs {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("asterisk-config: %w", err)
		}
		if err := os.Chmod(dir, 0o700); err != nil {
			return fmt.Errorf("asterisk-config: %w", err)
		}
	}
	path := filepath.Join(s.SpoolDir, "recording")
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("asterisk-config: %s exists and is not the plain empty file that keeps Asterisk from recording: look at what it holds, then remove it", path)
	}
	return writeFile(path, nil)
}

// writeFile replaces path by a file only its owner may read.
func writeFile(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return fmt.Errorf("asterisk-config: %w", err)
	}
	defer os.Remove(f.Name())
	if _, err := f.Write(text); err != nil {
		f.Close()
		return fmt.Errorf("asterisk-config: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("asterisk-config: %w", err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("asterisk-config: %w", err)
	}
	return nil
}
