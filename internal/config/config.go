// Package config holds what an operator may set: one annotated YAML file, decoded strictly.
//
// Here live the types, their defaults, the decoding, the checks and the sample file, which is the
// reference. No secret ever lives here: passwords and keys are named by the path of a file that only
// its owner can read, and nothing in this package reads one. What the settings do is decided in
// cmd/callward, which hands each room its own options; what the rules are is decided in policy.
package config

import (
	"path/filepath"
	"time"
)

// DefaultPath is where the binary looks when neither --config nor CALLWARD_CONFIG names a file.
const DefaultPath = "/etc/callward/callward.yaml"

// Config is the whole file. The keys are the mapstructure tags, joined by dots: queue.ring_timeout.
type Config struct {
	Organisation Organisation `mapstructure:"organisation"`
	Asterisk     Asterisk     `mapstructure:"asterisk"`
	Storage      Storage      `mapstructure:"storage"`
	Keys         Keys         `mapstructure:"keys"`
	Recording    Recording    `mapstructure:"recording"`
	Prompts      Prompts      `mapstructure:"prompts"`
	Policy       Policy       `mapstructure:"policy"`
	Queue        Queue        `mapstructure:"queue"`
	Interpreter  Interpreter  `mapstructure:"interpreter"`
	Log          Log          `mapstructure:"log"`

	at places // where each value was written, for errors found later
}

// Organisation is who the patient hears they have called.
type Organisation struct {
	Name           string   `mapstructure:"name"`            // as spoken in prompts
	CallbackNumber string   `mapstructure:"callback_number"` // E.164, spoken with the agent's name
	Timezone       string   `mapstructure:"timezone"`        // IANA name; a day is a day there
	Languages      []string `mapstructure:"languages"`       // in the order they are offered
}

// Location is the organisation's time zone. A checked configuration always has one.
func (o Organisation) Location() *time.Location {
	loc, err := time.LoadLocation(o.Timezone)
	if err != nil {
		return time.UTC
	}
	return loc
}

// Asterisk is the telephone system this controller attaches to.
type Asterisk struct {
	ARI ARI `mapstructure:"ari"`
}

// ARI is how to reach it. The password is in a file of its own.
type ARI struct {
	URL          string `mapstructure:"url"`           // https://host:port
	App          string `mapstructure:"app"`           // the name in Stasis(app)
	User         string `mapstructure:"user"`          // in ari.conf
	PasswordFile string `mapstructure:"password_file"` // mode 0600, one line
	CAFile       string `mapstructure:"ca_file"`       // PEM; empty: the host's own roots
}

// Storage is where what is kept is kept.
type Storage struct {
	SQLite SQLite `mapstructure:"sqlite"`
}

// SQLite is the default store, one file on a local disk.
type SQLite struct {
	Path string `mapstructure:"path"`
}

// Keys is the folder of keys this machine needs. It holds nothing that opens a recording.
type Keys struct {
	Dir string `mapstructure:"dir"`
}

// DataKeyset is the file of the keys that seal PHI columns and look them up.
func (k Keys) DataKeyset() string { return filepath.Join(k.Dir, "data.keyset") }

// AuditKey is the file of the key that signs audit checkpoints.
func (k Keys) AuditKey() string { return filepath.Join(k.Dir, "audit.key") }

// AuditPub is the file of the key that verifies them; it may be handed to anybody.
func (k Keys) AuditPub() string { return filepath.Join(k.Dir, "audit.pub") }

// Recording is where sealed recordings go and to whom they are sealed.
type Recording struct {
	Dir          string        `mapstructure:"dir"`
	Recipients   string        `mapstructure:"recipients"`    // file of age recipients, one a line
	MinFree      Size          `mapstructure:"min_free"`      // below this nothing is recorded
	DiscardUnder time.Duration `mapstructure:"discard_under"` // shorter withdrawn segments are not kept
}

// Prompts is what the patient hears and how it is made audible.
type Prompts struct {
	Dir     string            `mapstructure:"dir"`     // rendered audio, made by Callward
	Studio  string            `mapstructure:"studio"`  // recordings by a speaker; one put here wins. Empty: none
	Command []string          `mapstructure:"command"` // text on its standard input, WAV on its output; {voice} is filled in
	Voices  map[string]string `mapstructure:"voices"`  // language to {voice}
}

// Policy chooses the rules' parameters.
type Policy struct {
	Profile         string `mapstructure:"profile"`          // default or federal
	TrainingVersion string `mapstructure:"training_version"` // of the material agents are trained in
	TrainingChanged string `mapstructure:"training_changed"` // YYYY-MM-DD of its last material change
}

// Changed is the instant of the last material change, midnight at loc. A checked configuration has one.
func (p Policy) Changed(loc *time.Location) time.Time {
	at, err := time.ParseInLocation(time.DateOnly, p.TrainingChanged, loc)
	if err != nil {
		return time.Time{}
	}
	return at
}

// Queue is how long waiting parties wait.
type Queue struct {
	RingTimeout        time.Duration `mapstructure:"ring_timeout"`         // one agent's phone rings this long
	OfferCallbackAfter time.Duration `mapstructure:"offer_callback_after"` // then a call-back request is offered
	WrapUp             time.Duration `mapstructure:"wrap_up"`              // an agent's time after a call
	HoldClass          string        `mapstructure:"hold_class"`           // in musiconhold.conf
}

// Interpreter is the third party an agent can bring in. Empty: none.
type Interpreter struct {
	Endpoint string `mapstructure:"endpoint"` // PJSIP/name
}

// Log is what goes to standard error.
type Log struct {
	Level  string `mapstructure:"level"`  // debug, info, warn, error
	Format string `mapstructure:"format"` // text, json
}

// Default is what a file that says nothing means. It does not pass the checks: the organisation's name
// and call-back number have no sensible default.
func Default() Config {
	return Config{
		Organisation: Organisation{
			Timezone:  "America/New_York",
			Languages: []string{"en", "es"},
		},
		Asterisk: Asterisk{ARI: ARI{
			URL:          "https://127.0.0.1:8089",
			App:          "callward",
			User:         "callward",
			PasswordFile: "/etc/callward/ari.password",
		}},
		Storage: Storage{SQLite: SQLite{Path: "/var/lib/callward/data/callward.db"}},
		Keys:    Keys{Dir: "/etc/callward/keys"},
		Recording: Recording{
			Dir:          "/var/lib/callward/recordings",
			Recipients:   "/etc/callward/recording.recipients",
			MinFree:      1 << 30,
			DiscardUnder: 10 * time.Second,
		},
		Prompts: Prompts{
			Dir:     "/var/lib/callward/prompts",
			Command: []string{"espeak-ng", "-v", "{voice}", "-s", "150", "--stdin", "--stdout"},
			Voices:  map[string]string{"en": "en-us", "es": "es-419"},
		},
		Policy: Policy{Profile: "default", TrainingVersion: "1", TrainingChanged: "2026-01-01"},
		Queue: Queue{
			RingTimeout:        20 * time.Second,
			OfferCallbackAfter: 60 * time.Second,
			WrapUp:             30 * time.Second,
			HoldClass:          "default",
		},
		Log: Log{Level: "info", Format: "text"},
	}
}
