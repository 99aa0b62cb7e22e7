package ari

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// lowWater tells the kernel how many bytes to collect before it wakes a reader.
// It is a wish: a connection that is not a TCP socket goes without.
func lowWater(c net.Conn, bytes int) {
	s, ok := c.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVLOWAT, bytes)
	})
}
