package controlplane

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var vmRSS = regexp.MustCompile(`VmRSS:\s+(\d+) kB`)

// testMemory checks the contract: under 500 MB, whatever is installed here.
func testMemory(t *testing.T, pid int) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	m := vmRSS.FindSubmatch(status)
	require.NotNil(t, m)
	kB, err := strconv.Atoi(string(m[1]))
	require.NoError(t, err)
	t.Logf("%d MB resident", kB*1024/1_000_000)
	assert.Less(t, kB*1024, 500_000_000)
}
