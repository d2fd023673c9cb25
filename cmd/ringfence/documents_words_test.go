package main

import (
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/config"
	"github.com/ringfence/ringfence/cmd/ringfence/internal/config/strict"
)

// Every command line of the program in the documents and in the README is one that the program takes.
func TestDocumentsCommandLines(t *testing.T) {
	texts := documentTexts(t)
	texts["README of the root"] = readme(t)
	fences := regexp.MustCompile("(?s)\n *```[a-z]*\n.*?\n *```")
	seen := 0
	for name, text := range texts {
		var lines []string
		for _, block := range fences.FindAllString(text, -1) {
			for _, m := range regexp.MustCompile(`(?m)^\$ (?:.*[|(&] *)?ringfence (.*)$`).FindAllStringSubmatch(block, -1) {
				lines = append(lines, m[1])
			}
		}
		for _, m := range regexp.MustCompile("`ringfence ([^`]+)`").FindAllStringSubmatch(fences.ReplaceAllString(text, ""), -1) {
			lines = append(lines, strings.ReplaceAll(m[1], "\n", " "))
		}
		for _, line := range lines {
			seen++
			assert.NoError(t, parses(wordsOf(line)), "%s: ringfence %s", name, line)
		}
	}
	assert.Greater(t, seen, 50)
}

// wordsOf splits a command line up to where the shell, or the sentence, goes on.
func wordsOf(line string) (words []string) {
	line = regexp.MustCompile(`[)|;&>].*`).ReplaceAllString(line, "")
	for word := range strings.FieldsSeq(line) {
		words = append(words, strings.Trim(word, "\"',.:"))
	}
	return words
}

// parses says whether the program knows the command and its flags.
func parses(words []string) error {
	root := newRootCommand(environment{Stdout: io.Discard, Stderr: io.Discard})
	command, rest, err := root.Find(words)
	if err != nil {
		return err
	}
	if n := len(rest); n > 0 && strings.HasPrefix(rest[n-1], "-") { // a flag that is only named
		if f := command.Flags().Lookup(strings.TrimLeft(rest[n-1], "-")); f != nil && f.NoOptDefVal == "" {
			rest = append(rest, f.DefValue)
		}
	}
	for i, word := range rest { // placeholders for numbers and choices
		if strings.Contains(word, "|") || strings.HasPrefix(word, "[") {
			rest = rest[:i]
			break
		}
	}
	return command.ParseFlags(rest)
}

// Every YAML in the documents parses; the program's own files say nothing that it does not take.
func TestDocumentsYAML(t *testing.T) {
	seen := 0
	for name, text := range documentTexts(t) {
		for _, block := range blocks(text, "yaml") {
			seen++
			var kind struct{ Kind string }
			require.NoError(t, yaml.Unmarshal([]byte(block), &kind), "docs/%s.md:\n%s", name, block)
			var err error
			switch kind.Kind {
			case "Config":
				_, err = config.ParseDaemon(name, []byte(block))
			case "Repository":
				_, err = config.ParseRepository(name, []byte(block))
			}
			assert.NoError(t, err, "docs/%s.md:\n%s", name, block)
		}
	}
	assert.NotZero(t, seen)
}

// Every key of a configuration file that the documents and the README name is one.
func TestDocumentsKeys(t *testing.T) {
	repository, err := config.ParseRepository("empty", []byte("apiVersion: ringfence.dev/v1\nkind: Repository\n"))
	require.NoError(t, err)
	keys := map[string]bool{}
	keysOf("", strict.Tree(nil, repository), keys)
	keysOf("", strict.Tree(nil, config.DefaultDaemon()), keys)
	texts := documentTexts(t)
	texts["README of the root"] = readme(t)
	sections := regexp.MustCompile("`((?:source|sync|drift|layout|network|gate|lint|limits|http|log|leaderElection)\\.[a-zA-Z.]+)(?::? [^`]*)?`")
	seen := map[string]bool{}
	for name, text := range texts {
		for _, m := range sections.FindAllStringSubmatch(text, -1) {
			seen[m[1]] = true
			assert.True(t, keys[m[1]] || slices.Contains(namesOfTheAPI(), m[1]), "%s names %s, which is no key", name, m[1])
		}
	}
	assert.Greater(t, len(seen), 15)
}

// namesOfTheAPI are names that look like keys, and are of the API.
func namesOfTheAPI() []string { return []string{"source.refused"} }

func keysOf(path string, node *yaml.Node, into map[string]bool) {
	if node.Kind == yaml.DocumentNode {
		node = node.Content[0]
	}
	if node.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := strings.TrimPrefix(path+"."+node.Content[i].Value, ".")
		into[key] = true
		keysOf(key, node.Content[i+1], into)
	}
}

// Every metric that the documents name is in the README's table, which a scrape is compared with.
func TestDocumentsMetrics(t *testing.T) {
	table := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(ringfence_[a-z_]+)` \\|").FindAllStringSubmatch(readme(t), -1) {
		table[m[1]] = true
	}
	require.NotEmpty(t, table)
	for name, text := range documentTexts(t) {
		for _, metric := range regexp.MustCompile(`\bringfence_[a-z_]+\b`).FindAllString(text, -1) {
			metric = strings.TrimSuffix(strings.TrimSuffix(metric, "_bucket"), "_count")
			assert.True(t, table[metric], "docs/%s.md names %s", name, metric)
		}
	}
}
