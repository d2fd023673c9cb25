package order

import (
	"flag"
	"os"
	"testing"
)

// TestMain gives the property test its number of pairs of revisions: 50, 2,000 with RINGFENCE_SCALE=full, 5 with -short
// (the race detector has little to see here), or what -rapid.checks says. The pairs are the same each time, but with
// RINGFENCE_SCALE=full, -rapid.seed or RAPID_SEED.
func TestMain(m *testing.M) {
	flag.Parse()
	given := map[string]bool{"rapid.seed": os.Getenv("RAPID_SEED") != "" || os.Getenv("RINGFENCE_SCALE") == "full"}
	flag.Visit(func(f *flag.Flag) { given[f.Name] = true })
	checks := "50"
	switch {
	case os.Getenv("RINGFENCE_SCALE") == "full":
		checks = "2000"
	case testing.Short():
		checks = "5"
	}
	for name, value := range map[string]string{"rapid.checks": checks, "rapid.seed": "1"} {
		if given[name] {
			continue
		}
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
