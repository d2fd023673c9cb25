package licenses

import (
	"bytes"
	"runtime"
	"testing"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The bill of materials is one that its readers can read, has every module, and is the same each time.
func TestSBOM(t *testing.T) {
	modules := []Module{
		{Path: "example.com/a", Version: "v1.2.3", Licenses: []string{"Apache-2.0", "MIT"}},
		{Path: "std", Licenses: []string{"BSD-3-Clause"}},
	}
	var first, second bytes.Buffer
	require.NoError(t, WriteSBOM(&first, modules, "v0.1.0"))
	require.NoError(t, WriteSBOM(&second, modules, "v0.1.0"))
	assert.Equal(t, first.String(), second.String())

	var bom cyclonedx.BOM
	require.NoError(t, cyclonedx.NewBOMDecoder(&first, cyclonedx.BOMFileFormatJSON).Decode(&bom))
	assert.Equal(t, "pkg:golang/github.com/ringfence/ringfence@v0.1.0", bom.Metadata.Component.PackageURL)
	require.Len(t, *bom.Components, 2)
	a, std := (*bom.Components)[0], (*bom.Components)[1]
	assert.Equal(t, "pkg:golang/example.com/a@v1.2.3", a.PackageURL)
	assert.Len(t, *a.Licenses, 2)
	assert.Equal(t, runtime.Version(), std.Version)
	assert.Equal(t, []string{"example.com/a", "std"}, *(*bom.Dependencies)[0].Dependencies)
}
