package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Size is a number of bytes, written with a unit: 512MiB, 1GiB, 20GB.
type Size uint64

var units = []struct {
	name string
	of   uint64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1},
}

// ParseSize reads a whole number and a unit, with or without a space between.
func ParseSize(s string) (Size, error) {
	for _, u := range units {
		digits, ok := strings.CutSuffix(s, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(strings.TrimSpace(digits), 10, 64)
		if err != nil || n > math.MaxInt64/u.of {
			return 0, fmt.Errorf("%q is not a size", s)
		}
		return Size(n * u.of), nil
	}
	return 0, fmt.Errorf("%q has no unit", s)
}

// String writes the size in the largest binary unit that divides it, so that ParseSize reads it back.
func (s Size) String() string {
	for i := 3; i >= 0; i-- {
		if u := units[i]; s != 0 && uint64(s)%u.of == 0 {
			return strconv.FormatUint(uint64(s)/u.of, 10) + u.name
		}
	}
	return strconv.FormatUint(uint64(s), 10) + "B"
}
