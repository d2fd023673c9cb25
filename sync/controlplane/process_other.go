//go:build !linux

package controlplane

import "syscall"

// dieWithParent asks for nothing: only Linux has a death signal. The child
// watches its standard input.
func dieWithParent() *syscall.SysProcAttr { return nil }
