// Package prompts holds what Callward says: the catalogue of texts by language and
// id, and the renderer that turns each into a sound file Asterisk plays.
//
// What may never live here: a text that carries health information or anything a
// patient keyed. A prompt may name the organisation, an agent and a call-back number.
package prompts

import (
	"errors"
	"io/fs"
)

// ErrUnknown: no such language, id or variable in the catalogue.
var ErrUnknown = errors.New("prompts: unknown")

// Catalogue is the texts in every language. Immutable.
type Catalogue struct{}

// Load reads every <language>.yaml at the root or under prompts/ of fsys.
func Load(fsys fs.FS) (*Catalogue, error) { return nil, errors.ErrUnsupported }

// Version is the hash of the prompt's text, as consent records cite it.
func (c *Catalogue) Version(lang, id string) string { return "" }

// Text is the prompt as it is spoken, with its variables filled in.
func (c *Catalogue) Text(lang, id string, vars map[string]string) (string, error) {
	return "", errors.ErrUnsupported
}

// Languages lists the languages, sorted.
func (c *Catalogue) Languages() []string { return nil }

// IDs lists the prompt ids, sorted; every language has the same.
func (c *Catalogue) IDs() []string { return nil }

// Variables lists the variables of a prompt, sorted.
func (c *Catalogue) Variables(id string) []string { return nil }
