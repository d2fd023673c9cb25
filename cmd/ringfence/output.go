package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// format is the value of a flag that takes one of a few words.
type format struct {
	value   string
	allowed []string
}

// String returns the word.
func (f *format) String() string { return f.value }

// Set takes a word if it is allowed.
func (f *format) Set(value string) error {
	if !slices.Contains(f.allowed, value) {
		return fmt.Errorf("allowed: %s", strings.Join(f.allowed, ", "))
	}
	f.value = value
	return nil
}

// Type returns what the help shows behind the flag.
func (f *format) Type() string { return strings.Join(f.allowed, "|") }

// outputFlag adds -o/--output, the first format being the default.
func outputFlag(cmd *cobra.Command, allowed ...string) *format {
	f := &format{value: allowed[0], allowed: allowed}
	cmd.Flags().VarP(f, "output", "o", "output format")
	must(cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(allowed, cobra.ShellCompDirectiveNoFileComp)))
	return f
}

// must panics if a command has been put together wrongly, which every test of
// it finds.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// writeJSON writes a value indented, as kubectl does.
func writeJSON(w io.Writer, value any) error {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "    ")
	if err := encoder.Encode(value); err != nil {
		return fmt.Errorf("writing JSON: %w", err)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// list is how kubectl writes several objects as one JSON value.
type list[T any] struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Items      []T    `json:"items"`
}

func listOf[T any](items []T) list[T] {
	if items == nil {
		items = []T{}
	}
	return list[T]{APIVersion: "v1", Kind: "List", Items: items}
}
