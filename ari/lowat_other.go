//go:build !linux

package ari

import "net"

// lowWater does nothing where the kernel does not wake by amount.
func lowWater(net.Conn, int) {}
