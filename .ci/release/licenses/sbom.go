package licenses

import (
	"fmt"
	"io"
	"runtime"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"
)

// WriteSBOM writes the modules as a bill of materials of the daemon's release version, in CycloneDX's JSON. It has no time and
// no serial number: the same sources give the same file.
func WriteSBOM(w io.Writer, modules []Module, version string) error {
	bom := cyclonedx.NewBOM()
	bom.Metadata = &cyclonedx.Metadata{Component: &cyclonedx.Component{
		BOMRef: "ringfence", Type: cyclonedx.ComponentTypeApplication, Name: "ringfence", Version: version,
		PackageURL: purl("github.com/ringfence/ringfence", version), Licenses: spdx([]string{"Apache-2.0"}),
	}}
	components, refs := []cyclonedx.Component{}, []string{}
	for _, m := range modules {
		c := cyclonedx.Component{
			BOMRef: m.Path, Type: cyclonedx.ComponentTypeLibrary, Name: m.Path, Version: m.Version,
			PackageURL: purl(m.Path, m.Version), Licenses: spdx(m.Licenses), Scope: cyclonedx.ScopeRequired,
		}
		if m.Path == "std" {
			c.Version = runtime.Version()
			c.PackageURL = purl(m.Path, c.Version[len("go"):])
		}
		components, refs = append(components, c), append(refs, c.BOMRef)
	}
	bom.Components = &components
	bom.Dependencies = &[]cyclonedx.Dependency{{Ref: "ringfence", Dependencies: &refs}}
	if err := cyclonedx.NewBOMEncoder(w, cyclonedx.BOMFileFormatJSON).SetPretty(true).Encode(bom); err != nil {
		return fmt.Errorf("writing the bill of materials: %w", err)
	}
	return nil
}

// purl names a module as package-url's type golang has it.
func purl(path, version string) string {
	if version == "" {
		return "pkg:golang/" + path
	}
	return "pkg:golang/" + path + "@" + version
}

func spdx(ids []string) *cyclonedx.Licenses {
	var out cyclonedx.Licenses
	for _, id := range ids {
		out = append(out, cyclonedx.LicenseChoice{License: &cyclonedx.License{ID: id}})
	}
	return &out
}
