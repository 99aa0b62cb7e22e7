package asteriskconfig

import "embed"

// Prompts holds prompts/en.yaml and prompts/es.yaml.
//
//go:embed prompts
var Prompts embed.FS
