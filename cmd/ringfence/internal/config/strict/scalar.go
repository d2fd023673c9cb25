package strict

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"
)

// scalar reads a scalar node, which is not null, into a field.
func (d *decoder) scalar(node *yaml.Node, f field) error {
	switch {
	case isText(f.Type()):
		return d.text(node, f)
	case f.Type() == durationType:
		return duration(node, f)
	}
	switch f.Kind() {
	case reflect.String:
		return d.str(node, f)
	case reflect.Bool:
		return boolean(node, f)
	case reflect.Int, reflect.Int64:
		return integer(node, f)
	case reflect.Float64:
		return float(node, f)
	}
	panic(fmt.Sprintf("strict: no rule for fields of type %s", f.Type()))
}

func (d *decoder) str(node *yaml.Node, f field) error {
	if err := textual(node, wanted(f)); err != nil {
		return err
	}
	if err := oneOf(node.Value, f.enum()); err != nil {
		return err
	}
	if f.nonempty() && node.Value == "" {
		return Invalidf("", "must not be empty")
	}
	if err := d.format(f.tag.Get("format"), node.Value); err != nil {
		return err
	}
	f.SetString(node.Value)
	return nil
}

// text reads types that parse themselves; those that are numbers underneath
// may be written as numbers too.
func (d *decoder) text(node *yaml.Node, f field) error {
	number := f.CanInt() && node.ShortTag() == "!!int"
	if !number {
		if err := textual(node, wanted(f)); err != nil {
			return err
		}
	}
	if err := d.format(f.tag.Get("format"), node.Value); err != nil {
		return err
	}
	parsed := reflect.New(f.Type())
	target, ok := reflect.TypeAssert[encoding.TextUnmarshaler](parsed)
	if !ok {
		panic(fmt.Sprintf("strict: fields of type %s do not parse themselves", f.Type()))
	}
	if err := target.UnmarshalText([]byte(node.Value)); err != nil {
		return err
	}
	if f.CanInt() {
		if err := bounds(float64(parsed.Elem().Int()), f.tag); err != nil {
			return err
		}
	}
	f.Set(parsed.Elem())
	return nil
}

func duration(node *yaml.Node, f field) error {
	const hint = "a number with its unit: 30s, 10m, 1h30m"
	if tag := node.ShortTag(); tag == "!!int" || tag == "!!float" {
		return Invalidf(hint, "a duration is expected, not the bare number %s", node.Value)
	}
	if err := textual(node, "a duration is"); err != nil {
		return err
	}
	v, err := time.ParseDuration(node.Value)
	if err != nil {
		return Invalidf(hint, "%q is not a duration", node.Value)
	}
	if low, ok := f.tag.Lookup("min"); ok {
		if least, err := time.ParseDuration(low); err != nil {
			panic(fmt.Sprintf("strict: min tag: %v", err))
		} else if v < least {
			return Invalidf("", "must be at least %s, not %s", least, v)
		}
	}
	f.SetInt(int64(v))
	return nil
}

func boolean(node *yaml.Node, f field) error {
	switch node.Value {
	case "true", "false":
		if node.ShortTag() == "!!str" {
			return Invalidf("remove the quotes", "true or false is expected, not a string")
		}
		f.SetBool(node.Value == "true")
		return nil
	}
	return Invalidf("allowed: true, false", "true or false is expected, not %s", describe(node))
}

var decimal = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)

func integer(node *yaml.Node, f field) error {
	tooLarge := node.ShortTag() == "!!float" && decimal.MatchString(node.Value)
	if node.ShortTag() != "!!int" && !tooLarge {
		return Invalidf(unquote(node), "a whole number is expected, not %s", describe(node))
	}
	if !decimal.MatchString(node.Value) {
		return Invalidf("write it in decimal digits, without leading zeros", "%s is not a plain whole number", node.Value)
	}
	v, err := strconv.ParseInt(node.Value, 10, f.Type().Bits())
	if err != nil {
		return Invalidf("", "the number %s is too large", node.Value)
	}
	if err := bounds(float64(v), f.tag); err != nil {
		return err
	}
	f.SetInt(v)
	return nil
}

func float(node *yaml.Node, f field) error {
	if tag := node.ShortTag(); tag != "!!int" && tag != "!!float" {
		return Invalidf(unquote(node), "a number is expected, not %s", describe(node))
	}
	v, err := strconv.ParseFloat(node.Value, 64)
	if err != nil || math.IsInf(v, 0) || math.IsNaN(v) {
		return Invalidf("write it in decimal digits", "%s is not a plain number", node.Value)
	}
	if err := bounds(v, f.tag); err != nil {
		return err
	}
	f.SetFloat(v)
	return nil
}

// bounds checks the min and max tags of a number.
func bounds(v float64, tag reflect.StructTag) error {
	if low := tag.Get("min"); low != "" && v < number(low) {
		return Invalidf("", "must be at least %s, not %s", low, strconv.FormatFloat(v, 'f', -1, 64))
	}
	if high := tag.Get("max"); high != "" && v > number(high) {
		return Invalidf("", "must be at most %s, not %s", high, strconv.FormatFloat(v, 'f', -1, 64))
	}
	return nil
}

// count checks the min tag of a list or a map.
func count(n int, tag reflect.StructTag) error {
	low := tag.Get("min")
	if low == "" || float64(n) >= number(low) {
		return nil
	}
	entries := "entries"
	if low == "1" {
		entries = "entry"
	}
	return Invalidf("", "needs at least %s %s", low, entries)
}

func number(text string) float64 {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		panic(fmt.Sprintf("strict: bound in a tag: %v", err))
	}
	return v
}

// textual accepts nodes that YAML takes for text. Dates count as text: YAML 1.2
// has none, and nobody expects a branch named 2026-01-01 to need quotes.
func textual(node *yaml.Node, expected string) error {
	switch node.ShortTag() {
	case "!!str", "!!timestamp":
		return nil
	case "!!int", "!!float", "!!bool":
		return Invalidf(fmt.Sprintf("quote it: %q", node.Value), "%s expected, not %s", expected, describe(node))
	}
	return Invalidf("", "%s expected, not %s", expected, describe(node))
}

func unquote(node *yaml.Node) string {
	if node.ShortTag() == "!!str" && decimal.MatchString(node.Value) {
		return "remove the quotes"
	}
	return ""
}

// wanted names what a scalar field expects, with its verb.
func wanted(f field) string {
	switch {
	case isText(f.Type()):
		return "a value is"
	case f.Type() == durationType:
		return "a duration is"
	}
	switch f.Kind() {
	case reflect.Bool:
		return "true or false is"
	case reflect.Int, reflect.Int64, reflect.Float64:
		return "a number is"
	}
	return "a string is"
}

// describe names what a node is, in the user's words.
func describe(node *yaml.Node) string {
	switch node.Kind {
	case yaml.MappingNode:
		return "keys with values"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	}
	switch tag := node.ShortTag(); tag {
	case "!!str":
		return fmt.Sprintf("the string %q", node.Value)
	case "!!int", "!!float":
		return "the number " + node.Value
	case "!!bool":
		return "the boolean " + node.Value
	case "!!null":
		return "nothing"
	case "!!timestamp":
		return "the date " + node.Value
	default:
		return "a value with the tag " + tag
	}
}
