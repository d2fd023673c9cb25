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

// Every link in the documents, and to them, leads to a file that is there.
func TestLinksOfTheDocuments(t *testing.T) {
	documents, err := filepath.Glob(filepath.Join("docs", "*.md"))
	require.NoError(t, err)
	readmeText := readme(t)
	for _, document := range documents {
		assert.True(t, strings.Contains(readmeText, "(cmd/ringfence/docs/"+filepath.Base(document)), "the README links to %s", document) //nolint:testifylint // Contains would print all of it
		text, err := os.ReadFile(document)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`).FindAllStringSubmatch(string(text), -1) {
			assert.FileExists(t, filepath.Join(filepath.Dir(document), m[1]), "%s links to it", document)
		}
	}
}
