package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// Set by the linker: -ldflags "-X main.version=v1.2.3 -X main.revision=COMMIT".
var version, revision string

// build says which program this is.
type build struct {
	// Version is the release, such as v1.2.3, or "devel".
	Version string `json:"version"`
	// Revision is the commit it was built from, with "-dirty" behind it if there
	// were changes, or "unknown".
	Revision string `json:"revision"`
	// GoVersion is the Go release that built it.
	GoVersion string `json:"goversion"`
}

// buildInfo returns what the linker was told, or else what the Go tool has
// noted; ringfence_build_info shows it too.
func buildInfo() build {
	b := build{Version: version, Revision: revision, GoVersion: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if ok && info.Main.Version != "(devel)" {
		b.Version = cmp.Or(b.Version, info.Main.Version)
	}
	if ok {
		b.Revision = cmp.Or(b.Revision, vcsRevision(info.Settings))
	}
	b.Version = cmp.Or(b.Version, "devel")
	b.Revision = cmp.Or(b.Revision, "unknown")
	return b
}

func vcsRevision(settings []debug.BuildSetting) string {
	var commit, suffix string
	for _, s := range settings {
		switch {
		case s.Key == "vcs.revision":
			commit = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			suffix = "-dirty"
		}
	}
	if commit == "" {
		return ""
	}
	return commit + suffix
}

func newVersionCommand(environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Which build this is",
		Args:  arguments(),
	}
	output := outputFlag(cmd, "text", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		b := buildInfo()
		if output.value == "json" {
			return writeJSON(cmd.OutOrStdout(), b)
		}
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "ringfence %s (revision %s, %s)\n", b.Version, b.Revision, b.GoVersion)
		return err
	}
	return cmd
}
