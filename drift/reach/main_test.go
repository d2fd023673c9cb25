package reach

import (
	"flag"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMain gives the property tests their number of rounds: a thousand, ten thousand with RINGFENCE_SCALE=full, or what
// -rapid.checks says. The rounds are the same each time, but with RINGFENCE_SCALE=full, -rapid.seed or RAPID_SEED.
func TestMain(m *testing.M) {
	flag.Parse()
	given := map[string]bool{"rapid.seed": os.Getenv("RAPID_SEED") != "" || os.Getenv("RINGFENCE_SCALE") == "full"}
	flag.Visit(func(f *flag.Flag) { given[f.Name] = true })
	for name, value := range map[string]string{"rapid.checks": itoa(scaled(10_000)), "rapid.seed": "1"} {
		if given[name] {
			continue
		}
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// fewer lets a test run a part of the rounds, since one of its rounds takes long.
func fewer(t *testing.T, part int) {
	t.Helper()
	checks := flag.Lookup("rapid.checks")
	before := checks.Value.String()
	n, err := strconv.Atoi(before)
	require.NoError(t, err)
	require.NoError(t, checks.Value.Set(strconv.Itoa(max(1, n/part))))
	t.Cleanup(func() { require.NoError(t, checks.Value.Set(before)) })
}
