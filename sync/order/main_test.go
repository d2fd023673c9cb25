package order

import (
	"flag"
	"os"
	"testing"
)

// TestMain gives the property test its number of pairs of revisions: 50, 2,000 with RINGFENCE_SCALE=full, 5 with -short
// (the race detector has little to see here), or what -rapid.checks says.
func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "rapid.checks" })
	checks := "50"
	switch {
	case os.Getenv("RINGFENCE_SCALE") == "full":
		checks = "2000"
	case testing.Short():
		checks = "5"
	}
	if !given {
		if err := flag.Set("rapid.checks", checks); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
