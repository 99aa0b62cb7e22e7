package prompts

import (
	"context"
	"errors"
)

// RenderOptions says how texts become sound.
type RenderOptions struct {
	// Dir receives <lang>/<id>-<hash>.ulaw, and <lang>/<id>.ulaw for prompts without
	// variables, and hold/ with the hold music.
	Dir string
	// Studio holds recordings made by a person, <lang>/<id>.wav or .ulaw, which win. May be empty.
	Studio string
	// Command reads the text on its standard input and writes a WAV file to its standard
	// output. {voice} is replaced. Empty: espeak-ng.
	Command []string
	// Env is added to the command's environment.
	Env []string
	// Voices maps a language to {voice}. Empty: espeak-ng's en-us and es-419.
	Voices map[string]string
	// Vars are known before any call ("organisation", "callback"): RenderAll renders
	// every prompt that needs no other.
	Vars map[string]string
}

// Renderer renders and keeps prompts. Safe for concurrent use.
type Renderer struct{}

// NewRenderer returns a renderer; nothing is rendered yet.
func NewRenderer(c *Catalogue, o RenderOptions) *Renderer { return &Renderer{} }

// RenderAll renders what can be rendered before any call and the hold music.
func (r *Renderer) RenderAll(ctx context.Context, progress func(done, total int)) error {
	return errors.ErrUnsupported
}

// Media renders one prompt unless it is there and returns what ARI plays: "sound:/path".
func (r *Renderer) Media(ctx context.Context, lang, id string, vars map[string]string) (string, error) {
	return "", errors.ErrUnsupported
}

// PCM is the prompt as Asterisk will play it: 8 kHz, mono, 16 bit.
func (r *Renderer) PCM(ctx context.Context, lang, id string, vars map[string]string) ([]int16, error) {
	return nil, errors.ErrUnsupported
}
