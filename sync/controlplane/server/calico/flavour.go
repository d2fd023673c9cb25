package calico

import "fmt"

// Flavour is a way in which a cluster serves Calico's resources.
type Flavour string

const (
	// None serves nothing of Calico.
	None Flavour = ""
	// Native serves projectcalico.org/v3 by definitions, as clusters may from
	// Calico 3.32 on, beside crd.projectcalico.org/v1.
	Native Flavour = "crd"
	// Aggregated serves crd.projectcalico.org/v1, above which Calico's own API
	// server, another program, serves projectcalico.org/v3.
	Aggregated Flavour = "aggregated"
)

// MarshalText returns the flavour as it is written in a flag.
func (f Flavour) MarshalText() ([]byte, error) { return []byte(f), nil }

// UnmarshalText reads the flavour as it is written in a flag.
func (f *Flavour) UnmarshalText(text []byte) error {
	switch read := Flavour(text); read {
	case None, Native, Aggregated:
		*f = read
		return nil
	default:
		return fmt.Errorf("no way to serve Calico's resources: %q; there are %q and %q", text, Native, Aggregated)
	}
}
