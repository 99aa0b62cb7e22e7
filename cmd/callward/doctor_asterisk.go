package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/callward/callward/ari"
	"github.com/callward/callward/internal/config"
)

// ariConfig is how the configuration says to reach Asterisk. The password is read here and nowhere else.
func (m *Main) ariConfig(c *config.Config, log *slog.Logger) (ari.Config, error) {
	a := c.Asterisk.ARI
	password, err := readSecret(a.PasswordFile)
	if err != nil {
		return ari.Config{}, err
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if a.CAFile != "" {
		pem, err := os.ReadFile(a.CAFile)
		if err != nil {
			return ari.Config{}, fmt.Errorf("asterisk.ari.ca_file: %w", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return ari.Config{}, fmt.Errorf("asterisk.ari.ca_file: %s holds no certificate: write it as PEM", a.CAFile)
		}
	}
	return ari.Config{URL: a.URL, App: a.App, User: a.User, Password: password, TLS: t, Logger: log, Now: m.Now}, nil
}

// asterisk checks what only a running Asterisk can tell.
func (d *doctor) asterisk(ctx context.Context, c *config.Config) {
	cfg, err := d.m.ariConfig(c, slog.New(slog.DiscardHandler))
	if err != nil {
		d.failAll("asterisk", err)
		return
	}
	client, err := ari.NewClient(cfg)
	if err != nil {
		d.failAll("asterisk", err)
		return
	}
	defer client.Close()
	info, err := client.Asterisk.GetInfo(ctx, ari.AsteriskGetInfo{})
	if err != nil {
		saw, mend := unreachable(c, err)
		d.fail("asterisk", saw, mend)
		return
	}
	d.ok("asterisk", "%s answers over TLS", c.Asterisk.ARI.URL)
	d.version(info)
	d.recorders(ctx, client)
	d.endpoints(ctx, client)
}

// unreachable says why Asterisk did not answer as it should.
func unreachable(c *config.Config, err error) (saw, mend string) {
	a := c.Asterisk.ARI
	var refused *ari.Error
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &refused) && refused.Status == 401:
		return "Asterisk does not accept user " + a.User, "give [" + a.User + "] in ari.conf the password that is in " + a.PasswordFile
	case errors.As(err, &refused) && refused.Status == 403:
		return "Asterisk does not let user " + a.User + " in from here", "permit this host for [" + a.User + "] in ari.conf"
	case errors.As(err, &refused) && refused.Status == 404:
		return a.URL + " answers, but has no ARI there", "enable it in ari.conf and load res_ari.so"
	case errors.As(err, &authority):
		return "the certificate of " + a.URL + " is signed by nobody known", "name its authority in asterisk.ari.ca_file"
	case errors.As(err, &host):
		return "the certificate of " + a.URL + " is for another name", "write the name the certificate has, or give Asterisk one for this name"
	case errors.As(err, &invalid):
		return "the certificate of " + a.URL + " is not valid: " + invalid.Error(), "give Asterisk a new one"
	}
	return a.URL + " does not answer: " + err.Error(), "start Asterisk, and check tlsbindaddr in http.conf"
}

var versionNumber = regexp.MustCompile(`^(?:certified[-/])?(\d+)\.(\d+)`)

// oldest is the release that ended 20 advisories, ARI's among them.
var oldest = [2]int{22, 10}

func (d *doctor) version(info *ari.AsteriskInfo) {
	text := ""
	if info.System != nil {
		text = info.System.Version
	}
	match := versionNumber.FindStringSubmatch(text)
	if match == nil {
		d.fail("version", fmt.Sprintf("Asterisk calls its version %q", text), "run a release, 22.10 or newer")
		return
	}
	major, _ := strconv.Atoi(match[1])
	minor, _ := strconv.Atoi(match[2])
	if major < oldest[0] || major == oldest[0] && minor < oldest[1] {
		d.fail("version", "Asterisk "+text+" has known holes in ARI", "run 22.10 or newer")
		return
	}
	d.ok("version", "Asterisk %s", text)
}

// recorders are the modules that write calls to plain files. res_stasis_recording is not among them: ARI
// does not load without it, and with a plain file in place of its folder it can record nothing.
var recorders = []string{
	"app_chanspy.so", "app_dictate.so", "app_minivm.so", "app_mixmonitor.so", "app_record.so",
	"app_voicemail.so", "app_voicemail_imap.so", "app_voicemail_odbc.so", "res_monitor.so",
}

func (d *doctor) recorders(ctx context.Context, client *ari.Client) {
	modules, err := client.Asterisk.ListModules(ctx)
	if err != nil {
		d.failAll("recorders", err)
		return
	}
	var loaded []string
	for _, mod := range modules {
		if slices.Contains(recorders, mod.Name) && mod.Status == "Running" {
			loaded = append(loaded, mod.Name)
		}
	}
	if len(loaded) > 0 {
		d.fail("recorders", "loaded modules write calls to plain files: "+strings.Join(loaded, ", "), "noload them in modules.conf and restart Asterisk")
		return
	}
	// With a plain file where the folder should be, Asterisk cannot list it, and cannot record into it.
	stored, err := client.Recordings.ListStored(ctx)
	var refused *ari.Error
	switch {
	case errors.As(err, &refused) && refused.Status == 500:
		d.ok("recorders", "none among %d modules, and there is no folder to record into", len(modules))
	case err != nil:
		d.failAll("recorders", err)
	case len(stored) > 0:
		d.fail("recorders", fmt.Sprintf("Asterisk holds %d recordings of its own, unsealed", len(stored)), "have the compliance officer deal with them, then "+plainFile)
	default:
		d.fail("recorders", "Asterisk has a folder to record into", plainFile)
	}
}

const plainFile = "put a plain empty file in place of the folder recording in Asterisk's spool"

// endpoints finds phones that may send sound in the clear.
func (d *doctor) endpoints(ctx context.Context, client *ari.Client) {
	list, err := client.Endpoints.ListByTech(ctx, ari.EndpointsListByTech{Tech: "PJSIP"})
	if err != nil {
		d.failAll("srtp", err)
		return
	}
	var plain []string
	for _, e := range list {
		tuples, err := client.Asterisk.GetObject(ctx, ari.AsteriskGetObject{ConfigClass: "res_pjsip", ObjectType: "endpoint", ID: e.Resource})
		if err != nil {
			d.failAll("srtp", fmt.Errorf("endpoint %s cannot be looked at: %w", e.Resource, err))
			return
		}
		if !encrypted(tuples) {
			plain = append(plain, e.Resource)
		}
	}
	if len(plain) > 0 {
		d.fail("srtp", "endpoints that may send sound in the clear: "+strings.Join(plain, ", "), "media_encryption=sdes (or dtls) and media_encryption_optimistic=no in pjsip.conf")
		return
	}
	d.ok("srtp", "%d endpoints, all encrypted", len(list))
}

func encrypted(tuples []ari.ConfigTuple) bool {
	values := map[string]string{}
	for _, t := range tuples {
		values[t.Attribute] = t.Value.Reveal()
	}
	method := values["media_encryption"]
	return (method == "sdes" || method == "dtls") && slices.Contains([]string{"no", "false", "0"}, values["media_encryption_optimistic"])
}
