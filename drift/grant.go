package drift

import "github.com/ringfence/ringfence/drift/permissions"

// GrantHint says which rule gives the daemon the permission that an error says is missing; "" if the error says no such thing: an
// admission rule forbids in other words.
func GrantHint(err error) string { return permissions.Hint(permissions.Daemon, err) }

// WithGrant returns the error with [GrantHint], or as it is.
func WithGrant(err error) error { return permissions.Explain(permissions.Daemon, err) }
