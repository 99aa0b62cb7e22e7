package recording

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// reserve makes sure that bytes [from, to) of f have room on the disk, without
// making the file longer. A file system that cannot do so is taken as it is:
// then a full disk shows at the write.
func reserve(f *os.File, from, to int64) error {
	err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, from, to-from)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return nil
	}
	return err
}
