package drift

import "strings"

// OtherSpelling returns the ID under which Calico's own API server holds a policy of
// the tier default to be the same (see [Dialect.TwoSpellings]): with "default." before
// its name, or without it. Of any other kind it returns the ID itself.
func OtherSpelling(id ID) ID {
	if !id.Kind.Tiered {
		return id
	}
	if name, prefixed := strings.CutPrefix(id.Name, defaultTier+"."); prefixed {
		id.Name = name
	} else {
		id.Name = defaultTier + "." + name
	}
	return id
}
