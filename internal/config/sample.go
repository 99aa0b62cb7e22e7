package config

import (
	"bytes"
	_ "embed"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

//go:embed callward.sample.yaml
var sample []byte

// Sample is the annotated reference file. It decodes to exactly the defaults.
func Sample() []byte { return bytes.Clone(sample) }

// FilledSample is the sample with single values replaced: dotted key to value. Every comment stays. A key
// that the sample does not hold as one plain value is an error.
func FilledSample(values map[string]string) ([]byte, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(sample, &doc); err != nil {
		return nil, fmt.Errorf("sample configuration: %w", err)
	}
	lines := strings.SplitAfter(string(sample), "\n")
	for key, value := range values {
		n := find(doc.Content[0], strings.Split(key, "."))
		if n == nil || n.Kind != yaml.ScalarNode {
			return nil, fmt.Errorf("the sample configuration holds no single value for %s", key)
		}
		line := lines[n.Line-1]
		quoted, err := scalar(value)
		if err != nil {
			return nil, fmt.Errorf("sample configuration: %s: %w", key, err)
		}
		lines[n.Line-1] = line[:n.Column-1] + quoted + "\n"
	}
	return []byte(strings.Join(lines, "")), nil
}

// scalar writes a text as YAML would, quoted where it must be.
func scalar(value string) (string, error) {
	out, err := yaml.Marshal(&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value, Style: scalarStyle(value)})
	return strings.TrimSuffix(string(out), "\n"), err
}

func scalarStyle(value string) yaml.Style {
	if strings.HasPrefix(value, "/") && !strings.ContainsAny(value, "#:'\"\\\n\t ") {
		return 0
	}
	return yaml.DoubleQuotedStyle
}

func find(n *yaml.Node, path []string) *yaml.Node {
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value != path[0] {
			continue
		}
		if len(path) == 1 {
			return n.Content[i+1]
		}
		return find(n.Content[i+1], path[1:])
	}
	return nil
}
