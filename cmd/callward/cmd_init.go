package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/callward/callward/internal/config"
)

// initReport is what "init --json" prints.
type initReport struct {
	Config  string      `json:"config"`
	Changed bool        `json:"changed"`
	Items   []setupItem `json:"items"`
}

func initCommand(m *Main) *cobra.Command {
	var dir, name, number, timezone string
	var asJSON, printSample bool
	o := setupOptions{}
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Make configuration, keys, database and folders",
		Long: `Make what a site needs: the annotated configuration, the keys of the database and of the audit log, the
list of who may open recordings, the database and the folders. What exists is kept as it is; a second run
changes nothing and says so.

The officer's identity opens every recording. It is written once, to the file named by
--officer-identity, and is post-quantum, so the age program that reads it must be 1.3 or newer; move it off
this machine. Where an identity exists already, name its public key with --recipient instead; X25519 is
good too.`,
		Example: `  callward init --dir "$PWD/site" --name "Mill Street Clinic" --callback-number +12065550100 \
    --officer-identity "$PWD/officer.identity"
  callward init --config /etc/callward/callward.yaml --recipient age1...
  callward init --print-sample > callward.yaml`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if printSample {
				_, err := m.Stdout.Write(config.Sample())
				return err
			}
			if o.OfficerIdentity != "" && len(o.Recipients) > 0 {
				return usage("--officer-identity makes a new identity, --recipient names an existing one: give one of them")
			}
			o.Values = map[string]string{}
			for key, value := range map[string]string{
				"organisation.name":            name,
				"organisation.callback_number": number,
				"organisation.timezone":        timezone,
			} {
				if value != "" {
					o.Values[key] = value
				}
			}
			o.ConfigPath = m.file()
			if dir != "" {
				abs, err := filepath.Abs(dir)
				if err != nil {
					return err
				}
				if m.configPath == "" {
					o.ConfigPath = filepath.Join(abs, "callward.yaml")
				}
				layOut(o.Values, abs)
			}
			var err error
			if o.ConfigPath, err = filepath.Abs(o.ConfigPath); err != nil {
				return err
			}
			if o.OfficerIdentity != "" {
				if o.OfficerIdentity, err = filepath.Abs(o.OfficerIdentity); err != nil {
					return err
				}
			}
			if !exists(o.ConfigPath) && (name == "" || number == "") {
				return usage("a new site needs a name and a number to call back: give --name and --callback-number")
			}
			_, items, err := m.setUp(cmd.Context(), o)
			if err != nil {
				return err
			}
			return m.printSetup(o, items, asJSON)
		},
	}
	f := cmd.Flags()
	f.StringVar(&dir, "dir", "", "put everything under this folder instead of /etc/callward and /var/lib/callward")
	f.StringVar(&name, "name", "", "the organisation's name, as the patient hears it")
	f.StringVar(&number, "callback-number", "", "the number patients may call back, such as +12065550100")
	f.StringVar(&timezone, "timezone", "", "IANA time zone (default that of the sample)")
	f.StringVar(&o.OfficerIdentity, "officer-identity", "", "make the identity that opens recordings in this file")
	f.StringArrayVar(&o.Recipients, "recipient", nil, "public key (age1...) that may open recordings; may be repeated")
	f.BoolVar(&printSample, "print-sample", false, "print the annotated sample configuration and do nothing else")
	f.BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

// layOut puts every path of the configuration under one folder.
func layOut(values map[string]string, dir string) {
	for key, at := range map[string]string{
		"asterisk.ari.password_file": "ari.password",
		"storage.sqlite.path":        "data/callward.db",
		"keys.dir":                   "keys",
		"recording.dir":              "recordings",
		"recording.recipients":       "recording.recipients",
		"prompts.dir":                "prompts",
	} {
		values[key] = filepath.Join(dir, at)
	}
}

func (m *Main) printSetup(o setupOptions, items []setupItem, asJSON bool) error {
	report := initReport{Config: o.ConfigPath, Items: items}
	identity := false
	for _, i := range items {
		report.Changed = report.Changed || i.Made
		identity = identity || i.Made && i.Path == o.OfficerIdentity
	}
	if asJSON {
		return printJSON(m.Stdout, report)
	}
	for _, i := range items {
		word := "kept"
		if i.Made {
			word = "made"
		}
		fmt.Fprintf(m.Stdout, "%s  %s (%s)\n", word, i.Path, i.What)
	}
	if !report.Changed {
		fmt.Fprintln(m.Stdout, "Everything was there; nothing was changed.")
		return nil
	}
	var next []string
	if identity {
		next = append(next, fmt.Sprintf("Move %s off this machine: it opens every recording.", o.OfficerIdentity))
	}
	next = append(next,
		"Give the ARI user in ari.conf the password in the file above.",
		fmt.Sprintf("Then: callward doctor --config %s", o.ConfigPath))
	fmt.Fprintln(m.Stdout, "\nNext:\n  "+strings.Join(next, "\n  "))
	return nil
}
