package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // zones are known on a host without them
)

var (
	e164     = regexp.MustCompile(`^\+[1-9][0-9]{7,14}$`)
	appName  = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	holes    = regexp.MustCompile(`\{[a-z]*\}`)
	endpoint = regexp.MustCompile(`^PJSIP/[A-Za-z0-9_.-]+$`)
)

// check finds every value that cannot be meant. It opens no file.
func (c *Config) check() Errors {
	var errs Errors
	bad := func(key, problem, mend string) { errs = append(errs, c.at.at(key, problem, mend)) }

	c.checkOrganisation(bad)
	c.checkARI(bad)
	for _, p := range c.paths() {
		switch {
		case p.value == "" && !p.optional:
			bad(p.key, "is empty", "write an absolute path")
		case p.value != "" && !filepath.IsAbs(p.value):
			bad(p.key, fmt.Sprintf("%q is a relative path", p.value), "write it from the root, beginning with /")
		case p.value != "" && filepath.Clean(p.value) != p.value:
			bad(p.key, fmt.Sprintf("%q is not in its shortest form", p.value), "write "+filepath.Clean(p.value))
		}
	}
	c.checkApart(bad)
	c.checkPrompts(bad)
	oneOf(bad, "policy.profile", c.Policy.Profile, "default", "federal")
	if c.Policy.TrainingVersion == "" {
		bad("policy.training_version", "is empty", "write the version of the training material")
	}
	if _, err := time.Parse(time.DateOnly, c.Policy.TrainingChanged); err != nil {
		bad("policy.training_changed", fmt.Sprintf("%q is not a day", c.Policy.TrainingChanged), `write it in quotes: "YYYY-MM-DD"`)
	}
	if !appName.MatchString(c.Queue.HoldClass) {
		bad("queue.hold_class", fmt.Sprintf("%q is not a class name", c.Queue.HoldClass), "write the section of musiconhold.conf, letters, digits, - and _ only")
	}
	oneOf(bad, "log.level", c.Log.Level, "debug", "info", "warn", "error")
	oneOf(bad, "log.format", c.Log.Format, "text", "json")
	for _, d := range []struct {
		key      string
		got      time.Duration
		min, max time.Duration
	}{
		{"recording.discard_under", c.Recording.DiscardUnder, 0, time.Minute},
		{"queue.ring_timeout", c.Queue.RingTimeout, 5 * time.Second, 2 * time.Minute},
		{"queue.offer_callback_after", c.Queue.OfferCallbackAfter, 5 * time.Second, time.Hour},
		{"queue.wrap_up", c.Queue.WrapUp, 0, time.Hour},
	} {
		if d.got < d.min || d.got > d.max {
			bad(d.key, fmt.Sprintf("%v is out of range", d.got), fmt.Sprintf("write something from %v to %v", d.min, d.max))
		}
	}
	if c.Interpreter.Endpoint != "" && !endpoint.MatchString(c.Interpreter.Endpoint) {
		bad("interpreter.endpoint", fmt.Sprintf("%q is not an endpoint", c.Interpreter.Endpoint), `write it as PJSIP/name, or "" for nobody`)
	}
	return c.at.sort(errs)
}

type report func(key, problem, mend string)

func oneOf(bad report, key, got string, want ...string) {
	if !slices.Contains(want, got) {
		bad(key, fmt.Sprintf("%q is not known", got), "write one of "+strings.Join(want, ", "))
	}
}

func (c *Config) checkOrganisation(bad report) {
	o := c.Organisation
	if strings.TrimSpace(o.Name) == "" {
		bad("organisation.name", "is empty", "write the name the patient hears")
	}
	if strings.ContainsFunc(o.Name, func(r rune) bool { return r < ' ' }) {
		bad("organisation.name", "holds a control character", "write it on one line")
	}
	switch {
	case o.CallbackNumber == "":
		bad("organisation.callback_number", "is empty", `write the number patients may call back, in quotes: "+12065550100"`)
	case !e164.MatchString(o.CallbackNumber):
		bad("organisation.callback_number", "is not in the form of E.164", `write + and the country code, digits only, in quotes: "+12065550100"`)
	}
	if _, err := time.LoadLocation(o.Timezone); err != nil || o.Timezone == "" || o.Timezone == "Local" {
		bad("organisation.timezone", fmt.Sprintf("%q is not a time zone", o.Timezone), "write an IANA name, such as America/Chicago")
	}
	if len(o.Languages) == 0 {
		bad("organisation.languages", "is empty", "write [en], [es] or [en, es]")
	}
	for i, lang := range o.Languages {
		if lang != "en" && lang != "es" {
			bad("organisation.languages", fmt.Sprintf("there are no prompts in %q", lang), "write en or es")
		}
		if slices.Contains(o.Languages[:i], lang) {
			bad("organisation.languages", fmt.Sprintf("%q is there twice", lang), "remove one")
		}
	}
}

func (c *Config) checkARI(bad report) {
	a := c.Asterisk.ARI
	u, err := url.Parse(a.URL)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		bad("asterisk.ari.url", "is not an address", "write https://host:port")
	case u.User != nil:
		bad("asterisk.ari.url", "holds a user or password", "write them in asterisk.ari.user and asterisk.ari.password_file")
	case u.Scheme == "http":
		bad("asterisk.ari.url", "is not encrypted", "set tlsenable=yes in http.conf and write https://")
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		bad("asterisk.ari.url", "holds more than host and port", "write https://"+u.Host)
	}
	if !appName.MatchString(a.App) {
		bad("asterisk.ari.app", fmt.Sprintf("%q is not an application name", a.App), "write letters, digits, - and _ only")
	}
	if !appName.MatchString(a.User) {
		bad("asterisk.ari.user", fmt.Sprintf("%q is not a user name", a.User), "write the section of ari.conf, letters, digits, - and _ only")
	}
}

func (c *Config) checkPrompts(bad report) {
	p := c.Prompts
	if len(p.Command) == 0 || p.Command[0] == "" {
		bad("prompts.command", "is empty", "write the program and its arguments as a list")
		return
	}
	for _, arg := range p.Command {
		for _, hole := range holes.FindAllString(arg, -1) {
			if hole != "{voice}" {
				bad("prompts.command", fmt.Sprintf("%q is not filled in", hole), "the text goes to standard input; only {voice} is filled in")
			}
		}
	}
	for lang := range p.Voices {
		if lang != "en" && lang != "es" {
			bad("prompts.voices."+lang, "there are no prompts in this language", "remove it")
		}
	}
	for _, lang := range c.Organisation.Languages {
		if (lang == "en" || lang == "es") && p.Voices[lang] == "" {
			bad("prompts.voices."+lang, "is empty", "write the voice for this language")
		}
	}
}

// checkApart keeps recordings, database and keys in three different places.
func (c *Config) checkApart(bad report) {
	keys, recordings, db := c.Keys.Dir, c.Recording.Dir, c.Storage.SQLite.Path
	switch {
	case keys == "" || recordings == "" || db == "":
		return
	case within(recordings, keys):
		bad("recording.dir", "is inside keys.dir", "keep recordings and keys in different folders")
	case within(db, keys):
		bad("storage.sqlite.path", "is inside keys.dir", "keep the database and the keys in different folders")
	case within(keys, recordings):
		bad("keys.dir", "is inside recording.dir", "keep recordings and keys in different folders")
	case within(db, recordings):
		bad("storage.sqlite.path", "is inside recording.dir", "keep the database and the recordings in different folders")
	}
}

func within(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
}

type pathKey struct {
	key, value string
	optional   bool
}

func (c *Config) paths() []pathKey {
	return []pathKey{
		{"asterisk.ari.password_file", c.Asterisk.ARI.PasswordFile, false},
		{"asterisk.ari.ca_file", c.Asterisk.ARI.CAFile, true},
		{"storage.sqlite.path", c.Storage.SQLite.Path, false},
		{"keys.dir", c.Keys.Dir, false},
		{"recording.dir", c.Recording.Dir, false},
		{"recording.recipients", c.Recording.Recipients, false},
		{"prompts.dir", c.Prompts.Dir, false},
		{"prompts.studio", c.Prompts.Studio, true},
	}
}

// CheckFiles looks at the files the configuration names: that those which must exist do, and that no
// secret can be read by another user. The error is Errors. What talks to Asterisk calls it first.
func (c *Config) CheckFiles() error {
	var errs Errors
	bad := func(key, problem, mend string) { errs = append(errs, c.at.at(key, problem, mend)) }

	password := c.Asterisk.ARI.PasswordFile
	switch info, err := os.Stat(password); {
	case errors.Is(err, fs.ErrNotExist):
		bad("asterisk.ari.password_file", password+" does not exist", "write the password of the ARI user into it and chmod 600 it")
	case err != nil:
		bad("asterisk.ari.password_file", password+" cannot be looked at", "check the folders above it")
	default:
		if p := CheckSecret(password, info); p != "" {
			bad("asterisk.ari.password_file", p, "chmod 600 "+password)
		}
	}
	if ca := c.Asterisk.ARI.CAFile; ca != "" {
		if _, err := os.Stat(ca); err != nil {
			bad("asterisk.ari.ca_file", ca+" does not exist", `write the authority's certificate there, or "" for the host's own list`)
		}
	}
	if studio := c.Prompts.Studio; studio != "" {
		if info, err := os.Stat(studio); err != nil || !info.IsDir() {
			bad("prompts.studio", studio+" is not a folder", `make it, or write "" for none`)
		}
	}
	if len(errs) > 0 {
		return c.at.sort(errs)
	}
	return nil
}

// CheckSecret says what is wrong with the mode of a secret's file, or "".
func CheckSecret(path string, info fs.FileInfo) string {
	switch {
	case !info.Mode().IsRegular():
		return path + " is not a regular file"
	case info.Mode().Perm()&0o077 != 0:
		return fmt.Sprintf("%s can be read by others (mode %04o)", path, info.Mode().Perm())
	}
	return ""
}
