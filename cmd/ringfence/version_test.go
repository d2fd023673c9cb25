package main

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestVCSRevision(t *testing.T) {
	commit := debug.BuildSetting{Key: "vcs.revision", Value: "abc"}
	assert.Empty(t, vcsRevision(nil))
	assert.Empty(t, vcsRevision([]debug.BuildSetting{{Key: "vcs.modified", Value: "true"}}))
	assert.Equal(t, "abc", vcsRevision([]debug.BuildSetting{commit, {Key: "vcs.modified", Value: "false"}}))
	assert.Equal(t, "abc-dirty", vcsRevision([]debug.BuildSetting{{Key: "vcs.modified", Value: "true"}, commit}))
}

// TestBuildInfo holds that no label of ringfence_build_info is ever empty, and
// that the linker's word comes first.
func TestBuildInfo(t *testing.T) {
	b := buildInfo()
	assert.NotEmpty(t, b.Version)
	assert.NotEmpty(t, b.Revision)
	assert.Equal(t, runtime.Version(), b.GoVersion)

	was := [2]string{version, revision}
	t.Cleanup(func() { version, revision = was[0], was[1] })
	version, revision = "v1.2.3", "abc"
	assert.Equal(t, build{"v1.2.3", "abc", runtime.Version()}, buildInfo())
}

func TestReport(t *testing.T) {
	for _, tt := range []struct {
		err    error
		code   int
		stderr string
	}{
		{nil, exitClean, ""},
		{errors.Join(errors.New("one"), errors.New("two")), exitUnknown, "ringfence: one\nringfence: two\n"},
		{&exitError{code: exitFindings}, exitFindings, ""},
		{fmt.Errorf("asking: %w", &exitError{exitFindings, errors.New("denied")}), exitFindings, "ringfence: asking: denied\n"},
	} {
		var stderr bytes.Buffer
		assert.Equal(t, tt.code, report(&stderr, tt.err))
		assert.Equal(t, tt.stderr, stderr.String())
	}
}
