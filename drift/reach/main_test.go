package reach

import (
	"flag"
	"os"
	"testing"
)

// TestMain gives the property tests their number of rounds: a thousand, ten thousand with RINGFENCE_SCALE=full, or what
// -rapid.checks says.
func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "rapid.checks" })
	if !given {
		if err := flag.Set("rapid.checks", itoa(scaled(10_000))); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
