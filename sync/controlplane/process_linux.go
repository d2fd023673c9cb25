package controlplane

import "syscall"

// dieWithParent makes the kernel tell the child when the thread that started
// it ends. It is the second line of defence: the child also watches its
// standard input. SIGTERM and not SIGKILL, so that it can remove a temporary
// folder.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
}
