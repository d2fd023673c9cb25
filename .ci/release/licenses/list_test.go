package licenses

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const root = "../../.."

// Every dependency of the daemon has a licence that is accepted, and the list that users read is the one that is true.
func TestLicenses(t *testing.T) {
	modules, err := List(t.Context(), root)
	require.NoError(t, err)
	require.Greater(t, len(modules), 50)
	var table bytes.Buffer
	require.NoError(t, WriteTable(&table, modules))
	file := filepath.Join(root, "cmd", "ringfence", "docs", "licenses.md")
	got, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, table.String(), string(got), "go run -C .ci/release . licenses -o ../../cmd/ringfence/docs/licenses.md")
	assert.Contains(t, table.String(), "| Go's standard library | BSD-3-Clause |\n")
	assert.Contains(t, table.String(), "| k8s.io/kube-openapi | Apache-2.0, BSD-3-Clause, MIT |\n", "and what is copied into it")

	var notices bytes.Buffer
	require.NoError(t, WriteNotices(&notices, modules))
	var missing []string
	for _, m := range modules {
		if title := strings.TrimSpace(m.Path+" "+m.Version) + ": "; !strings.Contains("\n"+notices.String(), "\n"+title) {
			missing = append(missing, title)
		}
	}
	assert.Empty(t, missing)
}

func TestClassify(t *testing.T) {
	apache, err := os.ReadFile(filepath.Join(root, "LICENSE"))
	require.NoError(t, err)
	tests := []struct {
		name  string
		texts map[string]string
		want  []string
		fault string
	}{
		{name: "one", texts: map[string]string{"LICENSE": string(apache)}, want: []string{"Apache-2.0"}},
		{name: "two files", texts: map[string]string{"LICENSE": string(apache), "third_party/LICENSE": isc}, want: []string{"Apache-2.0", "ISC"}},
		{name: "none", texts: map[string]string{"NOTICE": "Made by somebody."}, fault: "example.com/m has no licence file"},
		{name: "its own words", texts: map[string]string{"LICENSE": "You may look at it on Sundays."}, fault: "example.com/m: only 0% of LICENSE is a licence that is known"},
		{name: "one that asks for more", texts: map[string]string{"COPYING": beer}, want: []string{"Beerware"}, fault: "example.com/m: COPYING has the licence Beerware, which nobody has accepted (licenses/list.go)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := Module{Path: "example.com/m", Texts: map[string][]byte{}}
			for name, text := range tt.texts {
				m.Texts[name] = []byte(text)
			}
			err := m.classify()
			if tt.fault == "" {
				require.NoError(t, err)
			} else {
				require.EqualError(t, err, tt.fault)
			}
			assert.Equal(t, tt.want, m.Licenses)
		})
	}
}

const (
	isc = `Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted,
provided that the above copyright notice and this permission notice appear in all copies.
THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH REGARD TO THIS SOFTWARE INCLUDING ALL IMPLIED
WARRANTIES OF MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT, INDIRECT, OR
CONSEQUENTIAL DAMAGES OR ANY DAMAGES WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS, WHETHER IN AN ACTION OF CONTRACT,
NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING OUT OF OR IN CONNECTION WITH THE USE OR PERFORMANCE OF THIS SOFTWARE.
`
	beer = `"THE BEER-WARE LICENSE" (Revision 42):
<somebody@example.com> wrote this file. As long as you retain this notice you can do whatever you want with this stuff. If we
meet some day, and you think this stuff is worth it, you can buy me a beer in return.
`
)
