package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/viper"
	"go.yaml.in/yaml/v3"
)

// maxFile is far above any honest file, and small enough to read without thought.
const maxFile = 1 << 20

// Load reads, decodes and checks the file at path. env is in the form of os.Environ. The error is Errors
// when the content is wrong; fs.ErrNotExist and fs.ErrPermission show through when the file itself
// cannot be read. The files it names are looked at by CheckFiles.
func Load(path string, env []string) (*Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, unreadable(path, err)
	}
	return Decode(path, data, env)
}

func unreadable(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("configuration %s does not exist; make one with \"callward init\", or name another with --config: %w", path, fs.ErrNotExist)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("configuration %s cannot be read by this user; let its group read it (chmod 640 %s): %w", path, path, fs.ErrPermission)
	}
	return fmt.Errorf("configuration %s: %w", path, err)
}

// Decode decodes and checks data without touching any file. name is how errors call it. The error is
// Errors.
func Decode(name string, data []byte, env []string) (*Config, error) {
	at := places{name: name, lines: map[string]int{}, env: map[string]string{}}
	if len(data) > maxFile {
		return nil, Errors{at.whole(0, "is larger than 1 MiB", "this is not a configuration")}
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, Errors{at.syntax(err)}
	}
	if errs := at.walk(&doc); len(errs) > 0 {
		return nil, errs
	}
	c := Default()
	c.at = at
	errs := c.fill(data, env)
	for _, e := range c.check() {
		if !errs.about(e.Key) {
			errs = append(errs, e)
		}
	}
	if len(errs) > 0 {
		return nil, at.sort(errs)
	}
	return &c, nil
}

// fill lays the file, and the environment over it, onto the defaults already in c.
func (c *Config) fill(data []byte, env []string) Errors {
	v := viper.New()
	v.SetConfigType("yaml")
	if err := v.ReadConfig(bytes.NewReader(data)); err != nil {
		return Errors{c.at.syntax(err)}
	}
	overrides, errs := overridesOf(env)
	for key, value := range overrides {
		c.at.env[key] = EnvName(key)
		v.Set(key, value)
	}
	err := v.Unmarshal(c, func(d *mapstructure.DecoderConfig) {
		d.ErrorUnused = true
		d.WeaklyTypedInput = false
		d.DecodeHook = hook
	})
	if err != nil {
		errs = append(errs, c.at.decodeErrors(err)...)
	}
	return errs
}

var listKeys = []string{"organisation.languages", "prompts.command"}

// overridesOf picks the CALLWARD_ variables that override a key. One that looks like a key and is none
// is an error, as it would be in the file.
func overridesOf(env []string) (map[string]any, Errors) {
	keys := map[string]string{}
	var names []string
	for _, key := range AllKeys() {
		keys[EnvName(key)] = key
		names = append(names, strings.ToLower(EnvName(key)))
	}
	found := map[string]any{}
	var errs Errors
	for _, entry := range env {
		name, value, _ := strings.Cut(entry, "=")
		key, known := keys[name]
		switch {
		case known && slices.Contains(listKeys, key):
			list := []any{}
			for part := range strings.SplitSeq(value, ",") {
				list = append(list, strings.TrimSpace(part))
			}
			found[key] = list
		case known && key == "prompts.voices":
			errs = append(errs, &Error{Source: name, Key: key, Problem: "cannot be set from the environment", Mend: "write it in the file"})
		case known:
			found[key] = value
		case looksLikeKey(name):
			e := &Error{Source: name, Problem: "overrides no key", Mend: "unset it"}
			if like := nearest(strings.ToLower(name), names); like != "" {
				e.Mend = "did you mean " + strings.ToUpper(like) + "?"
			}
			errs = append(errs, e)
		}
	}
	return found, errs
}

func looksLikeKey(name string) bool {
	for _, s := range schema.names {
		if strings.HasPrefix(name, EnvName(s)+"_") {
			return true
		}
	}
	return false
}

var bareNumber = regexp.MustCompile(`^\s*[0-9]+(\.[0-9]+)?\s*$`)

// hook reads durations and sizes, and refuses a number without a unit.
func hook(from, to reflect.Type, data any) (any, error) {
	isDuration := to == reflect.TypeFor[time.Duration]()
	isSize := to == reflect.TypeFor[Size]()
	if !isDuration && !isSize {
		return data, nil
	}
	var text string
	switch v := data.(type) {
	case time.Duration, Size:
		return data, nil
	case string:
		text = v
	case int, int64, uint64, float64:
		text = fmt.Sprint(v)
	default:
		return nil, problem{"is not " + article(to), "write " + example(to, "")}
	}
	if bareNumber.MatchString(text) {
		return nil, problem{strconv.Quote(text) + " has no unit", "write " + example(to, strings.TrimSpace(text))}
	}
	if isSize {
		s, err := ParseSize(text)
		if err != nil {
			return nil, problem{strconv.Quote(text) + " is not a size", "write a whole number and a unit, such as 512MiB"}
		}
		return s, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return nil, problem{strconv.Quote(text) + " is not a duration", "write a number and a unit, such as 20s or 2m"}
	}
	return d, nil
}

func article(t reflect.Type) string {
	if t == reflect.TypeFor[Size]() {
		return "a size"
	}
	return "a duration"
}

func example(t reflect.Type, n string) string {
	if t == reflect.TypeFor[Size]() {
		if n == "" {
			n = "512"
		}
		return n + "MiB"
	}
	if n == "" {
		n = "20"
	}
	return n + "s"
}

// problem carries the two halves of an Error through mapstructure.
type problem struct{ what, mend string }

func (p problem) Error() string { return p.what + "; " + p.mend }
