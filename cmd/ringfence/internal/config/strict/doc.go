// Package strict reads and writes configuration files: one YAML document,
// decoded by reflection into structs whose tags say what is allowed.
//
// It guarantees that nothing is guessed and nothing is ignored: unknown and
// repeated keys, values of the wrong type or out of bounds, aliases, merge
// keys, further documents and an empty file are problems, each with file, line,
// column, key and what is allowed, and all of them are reported at once.
// Decode never panics, whatever the bytes. What Encode writes, Decode reads
// back to the same values.
//
// A document may be described by several structs together (Decode takes many
// targets): a key is known if any of them has it, and a section that more than
// one of them has is the union of theirs. That is how one file holds settings
// of its own beside settings that it pins for another file.
//
// # Tags
//
//	key:"name"         the key in the file; a field without it is not read
//	enum:"a|b"         the values that are allowed (of lists and maps: of each element)
//	format:"name"      a check in Options.Formats (of lists and maps: of each element)
//	keys:"name"        a check in Options.Formats for the keys of a map
//	min:"1" max:"9"    bounds of a number; min also of a duration, and of the length of a list or map
//	is:"required"      the key must be given, and not as an empty string
//	is:"nonempty"      the key may be left out, but not given as an empty string
//
// Fields are strings, booleans, integers, floats, time.Duration, types that
// implement encoding.TextMarshaler and encoding.TextUnmarshaler, structs
// (sections), maps of strings, and lists of any of these. The value that a
// field has before Decode is its default; lists and maps are replaced whole.
//
// It never expands environment variables and never opens files.
//
// Limitations: line numbers of syntax errors are those of the YAML parser, which
// knows no columns.
//
// Rejected: yaml.v3's KnownFields, which stops at the first few problems, knows no
// bounds, takes 3.30 for a string, and gives no columns; a JSON schema validator,
// whose messages speak of schemas rather than of keys.
package strict
