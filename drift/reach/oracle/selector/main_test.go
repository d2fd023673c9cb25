package selector

import (
	"flag"
	"os"
	"testing"
)

// TestMain gives the property tests a fixed seed, unless another is asked for, and 10,000 rounds; 100,000 with
// RINGFENCE_SCALE=full.
func TestMain(m *testing.M) {
	checks := "10000"
	if os.Getenv("RINGFENCE_SCALE") == "full" {
		checks = "100000"
	}
	for name, value := range map[string]string{"rapid.seed": "3", "rapid.checks": checks} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	flag.Parse()
	os.Exit(m.Run())
}
