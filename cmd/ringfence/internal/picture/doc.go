// Package picture draws who talks to whom, as SVG and as Mermaid.
//
// It guarantees that the picture says what the connections say, each once, and nothing else; that names from Git or a
// cluster are escaped; and that equal input gives equal output. SVG is self-contained, follows the reader's light or dark
// preference, and carries the same facts as text (title and desc) for those who cannot see it.
//
// It never reads anything and never draws what is only possible otherwise than as such (dotted, marked "unknown").
//
// Limitations: text is measured by the number of its characters. More than some hundred nodes in one namespace make a
// tall picture; nothing is left out of it.
//
// Rejected: Graphviz (a program of its own, or WebAssembly in the binary), and layout libraries in Go, which route edges
// but do not keep labels apart, which is what makes such a picture readable.
package picture
