package spec

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var files = map[string]string{
	"resources.json": `{"apis":[{"path":"/api-docs/lamps.{format}"}]}`,
	"lamps.json": `{"apis":[{"path":"/lamps/{lampId}","operations":[
		{"httpMethod":"POST","nickname":"light","responseClass":"Lamp","parameters":[
			{"name":"lampId","paramType":"path","dataType":"string"},
			{"name":"colour","paramType":"query","dataType":"string","required":true,"allowMultiple":true}],
		 "errorResponses":[{"code":"409"},{"code":404}]}]}],
		"models":{"Lamp":{"properties":{"id":{"type":"string","required":true},"lit":{"type":"boolean"}}}}}`,
}

func load(t *testing.T, files map[string]string) (*Spec, error) {
	t.Helper()
	return Load(context.Background(), func(_ context.Context, file string) ([]byte, error) {
		if f, ok := files[file]; ok {
			return []byte(f), nil
		}
		return nil, errors.New("no " + file)
	})
}

func TestLoadAndDescribe(t *testing.T) {
	s, err := load(t, files)
	require.NoError(t, err)
	assert.Equal(t, []int{404, 409}, s.Resources[0].Operations[0].Errors)
	assert.Equal(t, []string{
		"model Lamp id=string! lit=boolean",
		"operation lamps.light POST /lamps/{lampId} path:lampId=string! query:colour=string!* -> Lamp",
	}, s.Describe())
}

func TestLoadErrors(t *testing.T) {
	for name, change := range map[string]map[string]string{
		"no index":   {},
		"bad index":  {"resources.json": "{"},
		"no file":    {"resources.json": files["resources.json"]},
		"bad file":   {"resources.json": files["resources.json"], "lamps.json": "["},
		"bad status": {"resources.json": files["resources.json"], "lamps.json": strings.Replace(files["lamps.json"], `"409"`, `"x"`, 1)},
	} {
		_, err := load(t, change)
		assert.Error(t, err, name)
	}
}

func TestDiffTellsExactly(t *testing.T) {
	s, err := load(t, files)
	require.NoError(t, err)
	ours := s.Describe()
	assert.Empty(t, Diff(ours, ours))
	changed := map[string]string{"resources.json": files["resources.json"],
		"lamps.json": strings.NewReplacer(`"lit":{"type":"boolean"}`, `"lit":{"type":"string"}`, `"light"`, `"dim"`).Replace(files["lamps.json"])}
	other, err := load(t, changed)
	require.NoError(t, err)
	assert.Equal(t, []string{
		"model Lamp: our code has [lit=boolean], the running Asterisk has [lit=string]",
		"operation lamps.dim: in the running Asterisk, not in our code",
		"operation lamps.light: in our code, not in the running Asterisk",
	}, Diff(ours, other.Describe()))
}

func TestGeneratedIsWhole(t *testing.T) {
	var operations, models int
	for _, line := range Generated {
		switch {
		case strings.HasPrefix(line, "operation "):
			operations++
		case strings.HasPrefix(line, "model "):
			models++
		}
	}
	assert.Equal(t, 109, operations)
	assert.Greater(t, models, 57)
}
