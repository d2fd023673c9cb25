package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// Exit codes, the same for every command and format.
const (
	exitClean    = 0 // clean, done, allowed
	exitFindings = 1 // findings, differences, denied
	exitUnknown  = 2 // it could not tell: bad usage, bad configuration, no cluster
)

// exitError makes the process end with a code other than exitUnknown, or
// without a message since everything has been said.
type exitError struct {
	code int
	err  error // nil: print nothing
}

// Error returns the message of the error inside, "" if there is none.
func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

// Unwrap returns the error inside.
func (e *exitError) Unwrap() error { return e.err }

// report prints an error, each line of it with the program's name in front, and
// returns the exit code.
func report(stderr io.Writer, err error) int {
	if err == nil {
		return exitClean
	}
	code := exitUnknown
	if exit := (*exitError)(nil); errors.As(err, &exit) {
		code = exit.code
	}
	if message := strings.TrimSpace(printable(err.Error())); message != "" {
		for line := range strings.SplitSeq(message, "\n") {
			fmt.Fprintf(stderr, "ringfence: %s\n", line)
		}
	}
	return code
}
