package sources

import "syscall"

// What the system says of a folder that cannot be written, beside a lack of permission.
const (
	errNoSpace  = syscall.ENOSPC
	errReadOnly = syscall.EROFS
)
