package strict

import (
	"errors"
	"slices"
	"strings"
)

// Document is what Decode found out about a file: which keys it gives, where,
// and what is wrong with them. The caller adds the problems that only it can
// see, such as contradictions between keys, before it asks for Err.
type Document struct {
	file     string
	given    map[string]Position
	order    []string
	problems []Problem
}

// Given reports whether the file gives a value for the key.
func (d *Document) Given(key string) bool {
	_, ok := d.given[key]
	return ok
}

// Keys returns the keys that the file gives values for, sections left out, in
// the order of the file.
func (d *Document) Keys() []string { return slices.Clone(d.order) }

// At returns where the value of the key stands, or that of the nearest section
// around it that the file has.
func (d *Document) At(key string) Position {
	for {
		if at, ok := d.given[key]; ok {
			return at
		}
		i := strings.LastIndexAny(key, ".[")
		if i < 0 {
			return d.given[""]
		}
		key = key[:i]
	}
}

// Add adds a problem at the place of the key. An *Invalid gives its message and
// its hint apart.
func (d *Document) Add(key string, err error) {
	d.problems = append(d.problems, d.Problem(key, err))
}

// Problem makes a problem at the place of the key without adding it.
func (d *Document) Problem(key string, err error) Problem {
	return d.problem(d.At(key), key, err)
}

// Only returns the document with one problem, at the place of the key, instead of
// all others, which follow from it.
func (d *Document) Only(key string, err error) *Document {
	return &Document{file: d.file, given: d.given, problems: []Problem{d.Problem(key, err)}}
}

func (d *Document) problem(at Position, key string, err error) Problem {
	p := Problem{File: d.file, Position: at, Key: key, Message: err.Error()}
	var invalid *Invalid
	if errors.As(err, &invalid) {
		p.Message, p.Hint = invalid.Message, invalid.Hint
	}
	return p
}

func (d *Document) add(at Position, key string, err error) {
	d.problems = append(d.problems, d.problem(at, key, err))
}

// Err returns nil, or an *Error with every problem so far.
func (d *Document) Err() error {
	if len(d.problems) == 0 {
		return nil
	}
	problems := slices.Clone(d.problems)
	sortProblems(problems)
	return &Error{Problems: slices.Compact(problems)}
}

func (d *Document) give(key string, at Position, leaf bool) {
	d.given[key] = at
	if leaf {
		d.order = append(d.order, key)
	}
}
