package seal_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/callward/callward/storage"
	"github.com/callward/callward/storage/seal"
)

var place = seal.Place{Table: "patient", Column: "sealed", Row: "p-1"}

func create(t *testing.T) (*seal.Keys, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keyset.json")
	k, err := seal.Create(path)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, k.Close()) })
	return k, path
}

func TestSealOpensOnlyInItsPlace(t *testing.T) {
	k, _ := create(t)
	sealed, err := k.Seal(place, []byte("secret"))
	require.NoError(t, err)
	assert.NotContains(t, string(sealed), "secret")
	assert.True(t, k.Current(sealed))
	open, err := k.Open(place, sealed)
	require.NoError(t, err)
	assert.Equal(t, "secret", string(open))

	for name, p := range map[string]seal.Place{
		"other row":    {Table: "patient", Column: "sealed", Row: "p-2"},
		"other column": {Table: "patient", Column: "name", Row: "p-1"},
		"other table":  {Table: "visit", Column: "sealed", Row: "p-1"},
		"shifted":      {Table: "patients", Column: "ealed", Row: "p-1"},
	} {
		_, err := k.Open(p, sealed)
		assert.ErrorIs(t, err, storage.ErrSealed, name)
	}
	for i := range sealed {
		bad := append([]byte(nil), sealed...)
		bad[i] ^= 1
		_, err := k.Open(place, bad)
		require.ErrorIs(t, err, storage.ErrSealed)
	}
	_, err = k.Open(place, nil)
	assert.ErrorIs(t, err, storage.ErrSealed)
	other, err := seal.NewInMemory()
	require.NoError(t, err)
	_, err = other.Open(place, sealed)
	assert.ErrorIs(t, err, storage.ErrSealed)
}

func TestLookup(t *testing.T) {
	k, _ := create(t)
	look := func(k *seal.Keys, domain, value string) string {
		h, err := k.Lookup(domain, value)
		require.NoError(t, err)
		require.Len(t, h, seal.LookupSize)
		return string(h)
	}
	assert.Equal(t, look(k, "mrn", "A1"), look(k, "mrn", "A1"))
	assert.NotEqual(t, look(k, "mrn", "A1"), look(k, "mrn", "A2"))
	assert.NotEqual(t, look(k, "mrn", "A1"), look(k, "mrnA", "1"))
	other, err := seal.NewInMemory()
	require.NoError(t, err)
	assert.NotEqual(t, look(k, "mrn", "A1"), look(other, "mrn", "A1"))
}

func TestMissingKeys(t *testing.T) {
	var k *seal.Keys
	_, err := k.Seal(place, nil)
	require.ErrorIs(t, err, storage.ErrSealed)
	_, err = k.Open(place, nil)
	require.ErrorIs(t, err, storage.ErrSealed)
	_, err = k.Lookup("a", "b")
	require.ErrorIs(t, err, storage.ErrSealed)
	_, err = k.Lookups("a", "b")
	require.ErrorIs(t, err, storage.ErrSealed)
	assert.False(t, k.Rotating())
	assert.Zero(t, k.LookupID())
	assert.NoError(t, k.Close())
	assert.Equal(t, "keyset (none)", k.String())
}

func TestFile(t *testing.T) {
	k, path := create(t)
	fi, err := os.Stat(path)
	require.NoError(t, err)
	assert.EqualValues(t, 0o600, fi.Mode().Perm())
	_, err = seal.Create(path)
	require.ErrorIs(t, err, seal.ErrExists)

	sealed, err := k.Seal(place, []byte("secret"))
	require.NoError(t, err)
	require.NoError(t, k.Close())
	again, err := seal.Load(path)
	require.NoError(t, err)
	defer func() { require.NoError(t, again.Close()) }()
	_, err = again.Open(place, sealed)
	require.NoError(t, err)

	_, err = seal.Load(path + "x")
	require.ErrorIs(t, err, fs.ErrNotExist)
	assert.ErrorContains(t, err, "callward init")
}

func TestLoadRefusesReadableByOthers(t *testing.T) {
	_, path := create(t)
	for _, mode := range []fs.FileMode{0o604, 0o640, 0o620, 0o601, 0o644, 0o666} {
		require.NoError(t, os.Chmod(path, mode))
		_, err := seal.Load(path)
		require.ErrorIs(t, err, seal.ErrPermissions, mode)
		assert.ErrorContains(t, err, "chmod 600 "+path)
	}
	require.NoError(t, os.Chmod(path, 0o400))
	k, err := seal.Load(path)
	require.NoError(t, err)
	require.NoError(t, k.Close())
}

func TestLoadRefusesDamage(t *testing.T) {
	_, path := create(t)
	good, err := os.ReadFile(path)
	require.NoError(t, err)
	var parts map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(good, &parts))
	with := func(key, value string) string {
		m := map[string]json.RawMessage{}
		for k, v := range parts {
			m[k] = v
		}
		m[key] = json.RawMessage(value)
		b, err := json.Marshal(m)
		require.NoError(t, err)
		return string(b)
	}
	for name, text := range map[string]string{
		"empty": "", "not JSON": "x", "cut": string(good[:len(good)/2]), "more": string(good) + "{}", "unknown key": with("more", "1"),
		"newer": with("callward_keyset", "2"), "no seal": with("seal", "{}"), "no lookup": with("lookup", "{}"),
		"lookup key as seal": with("seal", string(parts["lookup"])), "seal key as lookup": with("lookup", string(parts["seal"])),
	} {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		_, err := seal.Load(path)
		require.ErrorIs(t, err, seal.ErrDamaged, name)
		assert.ErrorContains(t, err, path)
	}
}

func TestRotation(t *testing.T) {
	k, path := create(t)
	old, err := k.Seal(place, []byte("secret"))
	require.NoError(t, err)
	oldHash, err := k.Lookup("mrn", "A1")
	require.NoError(t, err)

	_, err = seal.LoadExclusive(path)
	require.ErrorIs(t, err, seal.ErrInUse, "a service has it")
	require.ErrorIs(t, k.AddKeys(), seal.ErrInUse)
	require.NoError(t, k.Close())

	r, err := seal.LoadExclusive(path)
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Close()) }()
	require.NoError(t, os.WriteFile(path+".new", []byte("left by a killed rotation"), 0o600))
	require.NoError(t, r.AddKeys())
	assert.True(t, r.Rotating())
	_, err = seal.Load(path)
	require.ErrorIs(t, err, seal.ErrInUse, "the new file is locked, too")

	_, err = r.Open(place, old)
	require.NoError(t, err)
	assert.False(t, r.Current(old))
	now, err := r.Seal(place, []byte("secret"))
	require.NoError(t, err)
	assert.True(t, r.Current(now))
	hashes, err := r.Lookups("mrn", "A1")
	require.NoError(t, err)
	require.Len(t, hashes, 2)
	newHash, err := r.Lookup("mrn", "A1")
	require.NoError(t, err)
	assert.Equal(t, [][]byte{newHash, oldHash}, hashes)

	require.NoError(t, r.Retire())
	require.NoError(t, r.Close())
	fi, err := os.Stat(path)
	require.NoError(t, err)
	assert.EqualValues(t, 0o600, fi.Mode().Perm())
	last, err := seal.Load(path)
	require.NoError(t, err)
	defer func() { require.NoError(t, last.Close()) }()
	assert.False(t, last.Rotating())
	_, err = last.Open(place, now)
	require.NoError(t, err)
	_, err = last.Open(place, old)
	require.ErrorIs(t, err, storage.ErrSealed)
	files, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	assert.Len(t, files, 1, "nothing is left beside the keyset")
}

func TestKeysPrintAsTheirPath(t *testing.T) {
	k, path := create(t)
	b, err := json.Marshal(k)
	require.NoError(t, err)
	assert.Equal(t, `"keyset `+path+`"`, string(b))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		assert.Equal(t, "keyset "+path, fmt.Sprintf(verb, k))
	}
	assert.Equal(t, "keyset "+path, k.LogValue().String())
}
