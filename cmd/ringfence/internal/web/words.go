package web

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/api"
)

// ago says roughly how long ago something was, or how far off it is.
func ago(d time.Duration) string {
	if d < -time.Second {
		return "in " + span(-d)
	}
	if d < time.Second {
		return "just now"
	}
	return span(d) + " ago"
}

func span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return strconv.Itoa(int(d.Seconds())) + " s"
	case d < time.Hour:
		return strconv.Itoa(int(d.Minutes())) + " min"
	case d < 48*time.Hour:
		return strconv.Itoa(int(d.Hours())) + " h"
	}
	return strconv.Itoa(int(d.Hours()/24)) + " days"
}

func took(seconds float64) string {
	return time.Duration(seconds * float64(time.Second)).Round(time.Millisecond).String()
}

// counted says a number of things.
func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// value says what a field holds: a word as it is, anything larger as YAML.
func value(v any) string {
	switch v := v.(type) {
	case string:
		if v != "" && strings.TrimSpace(v) == v {
			return v
		}
	case map[string]any, []any:
		if text, err := yaml.Marshal(v); err == nil {
			return strings.TrimSuffix(string(text), "\n")
		}
	}
	return api.ValueWords(v)
}

// asText writes an object as people do, without what the API server keeps for itself.
func asText(object map[string]any) string {
	out := make(map[string]any, len(object))
	for key, v := range object {
		if key != "status" {
			out[key] = v
		}
	}
	if meta, ok := object["metadata"].(map[string]any); ok {
		kept := make(map[string]any, len(meta))
		for key, v := range meta {
			switch key {
			case "managedFields", "uid", "resourceVersion", "generation", "creationTimestamp":
			default:
				kept[key] = v
			}
		}
		out["metadata"] = kept
	}
	text, err := yaml.Marshal(out)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
