package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestAge(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"0s": -time.Second, "119s": 119 * time.Second, "2m": 2 * time.Minute, "119m": 119 * time.Minute, "2h": 2 * time.Hour, "47h": 47 * time.Hour, "2d": 48 * time.Hour,
	} {
		assert.Equal(t, want, age(d))
	}
}

// What comes from Git or the cluster can neither move the cursor nor turn the direction of writing around.
func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"deny-all → über\nit's": "deny-all → über\nit's",
		"\x1b]0;title\a":        "\ufffd]0;title\ufffd",
		"right\u202eto left":    "right\ufffdto left",
		"\u009b2J":              "\ufffd2J",
	} {
		assert.Equal(t, want, printable(text))
	}
}
