package sync

import (
	"sync/atomic"

	"github.com/ringfence/ringfence/drift"
)

// grantWarning tells, once, that nothing grants what was asked for, where client-go tells nobody: it gives up, or tries again
// for ever. It is safe for concurrent use.
type grantWarning struct {
	warn func(err error)
	told atomic.Bool
}

// about looks at what came of a request.
func (w *grantWarning) about(err error) {
	if drift.GrantHint(err) != "" && w.told.CompareAndSwap(false, true) {
		w.warn(drift.WithGrant(err))
	}
}
