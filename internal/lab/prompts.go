package lab

import (
	"path/filepath"

	asteriskconfig "github.com/callward/callward/asterisk-config"
	"github.com/callward/callward/internal/prompts"
)

// Prompts returns a renderer of Callward's own texts with this Install's espeak-ng.
// Empty dir: the cache, which all labs of this machine share. vars are known before
// any call, see prompts.RenderOptions.
func Prompts(in Install, dir string, vars map[string]string) (*prompts.Renderer, error) {
	c, err := prompts.Load(asteriskconfig.Prompts)
	if err != nil {
		return nil, err
	}
	if dir == "" {
		dir = filepath.Join(in.CacheDir, "prompts")
	}
	argv, env := in.CommandLine("espeak-ng")
	return prompts.NewRenderer(c, prompts.RenderOptions{
		Dir:     dir,
		Command: append(argv, prompts.EspeakArgs...),
		Env:     env,
		Vars:    vars,
	}), nil
}
