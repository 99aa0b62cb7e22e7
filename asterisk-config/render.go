package asteriskconfig

import "errors"

// Render writes the configuration for s into dir, files with mode 0600.
func Render(dir string, s Site) error {
	return errors.ErrUnsupported
}
