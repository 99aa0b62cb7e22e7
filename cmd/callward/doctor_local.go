package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/sys/unix"

	asteriskconfig "github.com/callward/callward/asterisk-config"
	"github.com/callward/callward/internal/audit"
	"github.com/callward/callward/internal/config"
	"github.com/callward/callward/internal/prompts"
	"github.com/callward/callward/internal/recording"
	"github.com/callward/callward/storage"
	"github.com/callward/callward/storage/seal"
)

// doctor collects findings in the order in which they are looked for.
type doctor struct {
	m      *Main
	report []finding
}

func (d *doctor) ok(check, format string, args ...any) {
	d.report = append(d.report, finding{Check: check, OK: true, Saw: fmt.Sprintf(format, args...)})
}

func (d *doctor) fail(check, saw, mend string) {
	d.report = append(d.report, finding{Check: check, Saw: saw, Mend: mend})
}

// failAll reports an error, and each of config.Errors by itself. Our errors name the mend after a colon or
// a semicolon, so they are shown whole.
func (d *doctor) failAll(check string, err error) {
	var mistakes config.Errors
	if !errors.As(err, &mistakes) {
		d.fail(check, err.Error(), "")
		return
	}
	for _, one := range mistakes {
		short := *one
		short.Mend = ""
		d.fail(check, short.Error(), one.Mend)
	}
}

// local checks what can be seen without Asterisk.
func (d *doctor) local(ctx context.Context, c *config.Config) {
	if err := c.CheckFiles(); err != nil {
		d.failAll("files", err)
	} else {
		d.ok("files", "all there, secrets are private")
	}
	d.dataKeyset(c)
	d.auditKeys(c)
	d.recipients(c)
	d.noIdentity(c)
	d.database(ctx, c)
	d.disk(c)
	d.prompts(c)
}

func (d *doctor) dataKeyset(c *config.Config) {
	keys, err := seal.Load(c.Keys.DataKeyset())
	if err != nil {
		d.failAll("database keys", err)
		return
	}
	defer keys.Close()
	if keys.Rotating() {
		d.fail("database keys", "a rotation was begun and not ended", "callward key rotate")
		return
	}
	d.ok("database keys", "%s", c.Keys.DataKeyset())
}

// auditKeys checks that the two halves of the checkpoint key belong together.
func (d *doctor) auditKeys(c *config.Config) {
	const check = "audit keys"
	signer, err := audit.LoadSigner(c.Keys.AuditKey())
	if err != nil {
		d.failAll(check, err)
		return
	}
	public, err := audit.LoadVerifierKey(c.Keys.AuditPub())
	if err != nil {
		d.failAll(check, err)
		return
	}
	if err := belongTogether(signer, public); err != nil {
		d.fail(check, c.Keys.AuditKey()+" and "+c.Keys.AuditPub()+" do not belong together", "restore both from where keys are kept")
		return
	}
	d.ok(check, "%s verifies what audit.key signs", signer.Name())
}

// belongTogether signs something and opens it with the public keys, one a line.
func belongTogether(signer note.Signer, public string) error {
	signed, err := note.Sign(&note.Note{Text: "doctor\n"}, signer)
	if err != nil {
		return err
	}
	var known []note.Verifier
	for line := range strings.FieldsSeq(public) {
		v, err := note.NewVerifier(line)
		if err != nil {
			return err
		}
		known = append(known, v)
	}
	_, err = note.Open(signed, note.VerifierList(known...))
	return err
}

func (d *doctor) recipients(c *config.Config) {
	list, err := recording.ReadRecipients(c.Recording.Recipients)
	switch {
	case err != nil:
		d.fail("recipients", err.Error(), "write the officer's public key, age1..., into "+c.Recording.Recipients)
	case len(list) == 0:
		d.fail("recipients", c.Recording.Recipients+" names nobody", "write the officer's public key, age1..., into it")
	default:
		d.ok("recipients", "recordings are sealed to %d", len(list))
	}
}

var secretIdentity = regexp.MustCompile(`AGE-SECRET-` + `KEY-`)

// noIdentity looks for a key that opens recordings beside the keys and recordings of this machine.
func (d *doctor) noIdentity(c *config.Config) {
	for _, dir := range []string{c.Keys.Dir, filepath.Dir(c.Recording.Recipients)} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue // reported by the check that needs it
		}
		for _, e := range entries {
			path := filepath.Join(dir, e.Name())
			info, err := e.Info()
			if err != nil || !info.Mode().IsRegular() || info.Size() > 1<<20 {
				continue
			}
			data, err := os.ReadFile(path)
			if err == nil && secretIdentity.Match(data) {
				d.fail("identity", path+" opens recordings and is on the machine that makes them", "move it to the compliance officer's machine")
				return
			}
		}
	}
	d.ok("identity", "none beside the keys")
}

func (d *doctor) database(ctx context.Context, c *config.Config) {
	path := c.Storage.SQLite.Path
	info, err := os.Stat(path)
	if err != nil {
		d.failAll("database", errNoDatabase(path))
		return
	}
	if info.Mode().Perm()&0o077 != 0 {
		d.fail("database", fmt.Sprintf("%s can be read by others (mode %04o)", path, info.Mode().Perm()), "chmod 600 "+path)
		return
	}
	store, err := d.m.openStore(ctx, c)
	if err != nil {
		d.failAll("database", err)
		return
	}
	defer store.Close()
	var agents []storage.Agent
	var tree storage.AuditTree
	err = store.View(ctx, func(tx storage.Tx) (err error) {
		if agents, err = tx.Agents(); err != nil {
			return err
		}
		tree, err = tx.AuditTree()
		return err
	})
	if err != nil {
		d.failAll("database", err)
		return
	}
	d.ok("database", "%s, %d audit entries", path, tree.Size)
	onDuty := 0
	for _, a := range agents {
		if a.OnDuty {
			onDuty++
		}
	}
	if onDuty == 0 {
		d.fail("agents", fmt.Sprintf("%d known, none on duty: callers would wait", len(agents)), "callward agent add, agent train, agent duty ID on")
		return
	}
	d.ok("agents", "%d known, %d on duty", len(agents), onDuty)
}

func errNoDatabase(path string) error {
	return fmt.Errorf("database %s does not exist: make it with \"callward init\", or correct storage.sqlite.path", path)
}

func (d *doctor) disk(c *config.Config) {
	dir := c.Recording.Dir
	info, err := os.Stat(dir)
	switch {
	case err != nil || !info.IsDir():
		d.fail("recordings", dir+" is not a folder", "callward init")
		return
	case info.Mode().Perm()&0o077 != 0:
		d.fail("recordings", fmt.Sprintf("%s is open to others (mode %04o)", dir, info.Mode().Perm()), "chmod 700 "+dir)
		return
	case unix.Access(dir, unix.W_OK|unix.X_OK) != nil:
		d.fail("recordings", dir+" cannot be written by this user", "let the user of callward serve own it")
		return
	}
	if part, _ := filepath.Glob(filepath.Join(globQuote(dir), "*.part")); len(part) > 0 {
		d.ok("unfinished", "%d recordings are being written, or were when their process ended; serve recovers the latter when it starts", len(part))
	}
	var fsStat unix.Statfs_t
	if err := unix.Statfs(dir, &fsStat); err != nil {
		d.failAll("disk", err)
		return
	}
	free := config.Size(fsStat.Bavail * uint64(fsStat.Bsize))
	if free < c.Recording.MinFree {
		d.fail("disk", fmt.Sprintf("%d MiB free in %s, less than recording.min_free", free>>20, dir), "make room, or nothing is recorded; calls go on")
		return
	}
	d.ok("disk", "%d MiB free in %s", free>>20, dir)
}

func globQuote(s string) string {
	return regexp.MustCompile(`[][*?\\]`).ReplaceAllString(s, `\$0`)
}

// prompts counts what is audible already and checks that the rest can be made.
func (d *doctor) prompts(c *config.Config) {
	catalogue, err := prompts.Load(asteriskconfig.Prompts)
	if err != nil {
		d.failAll("prompts", err)
		return
	}
	ready, all := 0, 0
	for _, lang := range c.Organisation.Languages {
		for _, id := range catalogue.IDs() {
			if len(catalogue.Variables(id)) > 0 {
				continue
			}
			all++
			if _, err := os.Stat(filepath.Join(c.Prompts.Dir, lang, id+".ulaw")); err == nil {
				ready++
			}
		}
	}
	program := c.Prompts.Command[0]
	if _, err := exec.LookPath(program); err != nil {
		d.fail("prompts", fmt.Sprintf("%d of %d are rendered and %s is not in PATH", ready, all, program), "install it, or name another in prompts.command")
		return
	}
	d.ok("prompts", "%d of %d are rendered; %s makes the others when serve starts", ready, all, program)
}

// readSecret reads a one-line secret that nobody else can read.
func readSecret(path string) (string, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("%s does not exist: run callward init, or restore it from where keys are kept", path)
	case err != nil:
		return "", err
	}
	if p := config.CheckSecret(path, info); p != "" {
		return "", fmt.Errorf("%s: chmod 600 %s", p, path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	text := strings.TrimRight(string(data), "\r\n")
	if text == "" || strings.ContainsAny(text, "\r\n") {
		return "", fmt.Errorf("%s does not hold exactly one line: write the secret on one", path)
	}
	return text, nil
}
