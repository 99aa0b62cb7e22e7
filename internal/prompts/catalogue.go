// Package prompts holds what Callward says: the catalogue of texts by language and
// id, and the renderer that turns each into a sound file Asterisk plays.
//
// What may never live here: a text that carries health information or anything a
// patient keyed. A prompt may name the organisation, an agent and a call-back number.
package prompts

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// ErrUnknown: no such language, id or variable in the catalogue, or a variable that is missing.
var ErrUnknown = errors.New("prompts: unknown")

// Catalogue is the texts in every language. Immutable.
type Catalogue struct {
	texts map[string]map[string]string // language, id
}

// variable is {name} or {name:digits}.
var variable = regexp.MustCompile(`\{([a-z_]+)(:digits)?\}`)

var promptID = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// Load reads every <language>.yaml at the root or under prompts/ of fsys. Each must
// hold the same ids with the same variables, and nothing else.
func Load(fsys fs.FS) (*Catalogue, error) {
	names, err := fs.Glob(fsys, "*.yaml")
	if err != nil {
		return nil, fmt.Errorf("prompts: %w", err)
	}
	if len(names) == 0 {
		if names, err = fs.Glob(fsys, "prompts/*.yaml"); err != nil {
			return nil, fmt.Errorf("prompts: %w", err)
		}
	}
	if len(names) == 0 {
		return nil, errors.New("prompts: no *.yaml file: put en.yaml and es.yaml there")
	}
	c := &Catalogue{texts: map[string]map[string]string{}}
	for _, name := range names {
		b, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("prompts: %w", err)
		}
		lang := strings.TrimSuffix(path.Base(name), ".yaml")
		if c.texts[lang], err = parse(lang, b); err != nil {
			return nil, fmt.Errorf("prompts: %s: %w", name, err)
		}
	}
	return c, c.compare()
}

// parse reads one language strictly: an unknown key or an id given twice is an error.
func parse(lang string, b []byte) (map[string]string, error) {
	var file struct {
		Language string            `yaml:"language"`
		Prompts  map[string]string `yaml:"prompts"`
	}
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(&file); err != nil {
		return nil, err
	}
	if file.Language != lang {
		return nil, fmt.Errorf("language is %q, the file's name says %q", file.Language, lang)
	}
	for id, text := range file.Prompts {
		if !promptID.MatchString(id) {
			return nil, fmt.Errorf("prompt id %q must be lower-case letters, digits and _", id)
		}
		text = strings.Join(strings.Fields(text), " ")
		if text == "" {
			return nil, fmt.Errorf("prompt %s is empty", id)
		}
		if strings.ContainsAny(variable.ReplaceAllString(text, ""), "{}<>") {
			return nil, fmt.Errorf("prompt %s has a brace or bracket that is no {variable}", id)
		}
		file.Prompts[id] = text
	}
	return file.Prompts, nil
}

// compare demands the same ids and variables of every language.
func (c *Catalogue) compare() error {
	langs := c.Languages()
	first := c.texts[langs[0]]
	for _, lang := range langs[1:] {
		for id, text := range first {
			other, ok := c.texts[lang][id]
			if !ok {
				return fmt.Errorf("prompts: %s.yaml lacks %s, which %s.yaml has", lang, id, langs[0])
			}
			if a, b := variables(text), variables(other); !slices.Equal(a, b) {
				return fmt.Errorf("prompts: %s has the variables %v in %s and %v in %s", id, a, langs[0], b, lang)
			}
		}
		for id := range c.texts[lang] {
			if _, ok := first[id]; !ok {
				return fmt.Errorf("prompts: %s.yaml lacks %s, which %s.yaml has", langs[0], id, lang)
			}
		}
	}
	return nil
}

// Version is the hash of the prompt's text before variables are filled in, 32 hex
// digits, as consent records cite it. Empty for an unknown prompt.
func (c *Catalogue) Version(lang, id string) string {
	text, ok := c.texts[lang][id]
	if !ok {
		return ""
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}

// Text is the prompt as it is spoken, with its variables filled in. Every variable
// must be given; others are ignored. Errors: ErrUnknown.
func (c *Catalogue) Text(lang, id string, vars map[string]string) (string, error) {
	text, ok := c.texts[lang][id]
	if !ok {
		return "", fmt.Errorf("%w: prompt %q in language %q", ErrUnknown, id, lang)
	}
	var err error
	text = variable.ReplaceAllStringFunc(text, func(m string) string {
		name, digits := strings.CutSuffix(strings.Trim(m, "{}"), ":digits")
		value := clean(vars[name])
		if value == "" && err == nil {
			err = fmt.Errorf("%w: prompt %q needs the variable %q", ErrUnknown, id, name)
		}
		if digits {
			return spell(value)
		}
		return value
	})
	if err != nil {
		return "", err
	}
	return text, nil
}

// Languages lists the languages, sorted.
func (c *Catalogue) Languages() []string { return slices.Sorted(maps.Keys(c.texts)) }

// IDs lists the prompt ids, sorted; every language has the same.
func (c *Catalogue) IDs() []string {
	for _, texts := range c.texts {
		return slices.Sorted(maps.Keys(texts))
	}
	return nil
}

// Variables lists the variables of a prompt, sorted.
func (c *Catalogue) Variables(id string) []string {
	for _, texts := range c.texts {
		return variables(texts[id])
	}
	return nil
}

func variables(text string) []string {
	var names []string
	for _, m := range variable.FindAllStringSubmatch(text, -1) {
		names = append(names, m[1])
	}
	slices.Sort(names)
	return slices.Compact(names)
}
