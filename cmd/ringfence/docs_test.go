package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Every row of the threat model names tests that exist.
func TestThreatsHaveTests(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("docs", "threat-model.md"))
	require.NoError(t, err)
	rows := regexp.MustCompile(`(?m)^\| [^|]*\| [^|]* \| [^|]+ \| ([^|]+) \|$`).FindAllStringSubmatch(string(text), -1)
	require.Greater(t, len(rows), 30)
	for _, row := range rows[1:] { // the first is the heading
		names := regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[1], -1)
		assert.NotEmpty(t, names, row[0])
		for _, name := range names {
			assert.True(t, testExists(t, name[1]), "%s is no test: %s", name[1], row[0])
		}
	}
	for _, who := range []string{"pod in a tenant", "tenant's admin", "pusher to one overlay", "pusher to the repository", "sends webhooks", "man in the middle", "visitor of the page"} {
		assert.Contains(t, string(text), who+"**")
	}
}

// testExists says whether there is a test function FOLDER:NAME, of the root without a folder, or a script of testdata/cluster.
func testExists(t *testing.T, name string) bool {
	t.Helper()
	folder, function, ok := strings.Cut(name, ":")
	if !ok {
		folder, function = ".", name
	}
	if !strings.HasPrefix(function, "Test") {
		_, err := os.Stat(filepath.Join("testdata", "cluster", name+".txtar"))
		return err == nil
	}
	files, err := filepath.Glob(filepath.Join(repositoryRoot, folder, "*_test.go"))
	require.NoError(t, err)
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, d := range parsed.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == function {
				return true
			}
		}
	}
	return false
}

// Every link in the documents leads to a file that is there, and to a heading of it; the README leads to their index, and that
// to each of them.
func TestLinksOfTheDocuments(t *testing.T) {
	texts := documentTexts(t)
	index := texts["README"]
	for name := range texts {
		assert.True(t, name == "README" || strings.Contains(index, "("+name+".md)"), "docs/README.md leads to %s", name)
	}
	assert.True(t, strings.Contains(readme(t), "(cmd/ringfence/docs/README.md)")) //nolint:testifylint // the same
	link := regexp.MustCompile(`\]\(([^)#:]*)(?:#([^)]*))?\)`)
	check := func(name, folder, own, text string) {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			target := own
			if m[1] != "" {
				target = filepath.Join(folder, m[1])
			}
			data, err := os.ReadFile(target)
			if !assert.NoError(t, err, "%s links to %s", name, m[1]) || m[2] == "" {
				continue
			}
			assert.True(t, anchors(string(data))[m[2]], "%s links to %s#%s, and there is no such heading", name, m[1], m[2])
		}
	}
	for name, text := range texts {
		check("docs/"+name+".md", "docs", filepath.Join("docs", name+".md"), text)
	}
	check("README.md", repositoryRoot, filepath.Join(repositoryRoot, "README.md"), readme(t))
}

// anchors are the headings of a document as links name them.
func anchors(text string) map[string]bool {
	out := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		name := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(m[1]), "")
		out[strings.ReplaceAll(name, " ", "-")] = true
	}
	return out
}
