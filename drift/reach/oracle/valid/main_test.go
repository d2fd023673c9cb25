package valid

import (
	"flag"
	"io"
	"os"
	"testing"

	"github.com/sirupsen/logrus"
)

// TestMain keeps Calico's log quiet and fixes what the property tests draw: a seed, unless another is asked for, and
// 20,000 objects, 200,000 with RINGFENCE_SCALE=full.
func TestMain(m *testing.M) {
	logrus.SetOutput(io.Discard)
	logrus.SetLevel(logrus.PanicLevel)
	checks := "20000"
	if os.Getenv("RINGFENCE_SCALE") == "full" {
		checks = "200000"
	}
	for name, value := range map[string]string{"rapid.seed": "3", "rapid.checks": checks, "rapid.nofailfile": "true"} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	flag.Parse()
	os.Exit(m.Run())
}
