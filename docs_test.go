package ringfence_test

import (
	"go/ast"
	"go/token"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Every package has a doc.go whose comment says what it guarantees and what it never does.
func TestEveryPackageHasDocGo(t *testing.T) {
	docs := map[string]string{}
	folders := map[string]bool{}
	for _, file := range loadSources(t).files {
		if file.test {
			continue
		}
		folders[file.folder()] = true
		if path.Base(file.path) == "doc.go" {
			docs[file.folder()] = file.ast.Doc.Text()
		}
	}
	for folder := range folders {
		doc, ok := docs[folder]
		if assert.True(t, ok, "%s has no doc.go", folder) {
			assert.True(t, strings.HasPrefix(doc, "Package ") || strings.HasPrefix(doc, "Command "),
				"%s/doc.go: the comment must begin with Package or Command", folder)
			assert.Contains(t, strings.ToLower(doc), "guarantee", "%s/doc.go does not say what the package guarantees", folder)
			assert.Contains(t, strings.ToLower(doc), "never", "%s/doc.go does not say what the package never does", folder)
		}
	}
}

// Every exported name has a comment, and so has each field of a Config; what functions and types
// have is a full sentence. A value may share the comment of its group.
func TestExportedNamesAreDocumented(t *testing.T) {
	s := loadSources(t)
	names := 0
	for _, file := range s.files {
		if file.test {
			continue
		}
		for _, f := range undocumented(file.ast, &names) {
			t.Errorf("%s: %s", s.fset.Position(f.pos), f.message)
		}
	}
	require.NotZero(t, names)
}

type docFault struct {
	pos     token.Pos
	message string
}

// undocumented returns what is wrong with the comments of a file, and counts its exported names.
func undocumented(file *ast.File, names *int) (faults []docFault) {
	check := func(id *ast.Ident, sentence bool, comments ...*ast.CommentGroup) {
		*names++
		if message := docFaultOf(id.Name, sentence, comments); message != "" {
			faults = append(faults, docFault{id.Pos(), message})
		}
	}
	for _, decl := range file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && exportedReceiver(d) {
				check(d.Name, true, d.Doc)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				checkSpec(d, spec, check)
			}
		}
	}
	return faults
}

func checkSpec(d *ast.GenDecl, spec ast.Spec, check func(*ast.Ident, bool, ...*ast.CommentGroup)) {
	switch spec := spec.(type) {
	case *ast.ValueSpec:
		for _, name := range spec.Names {
			if name.IsExported() {
				check(name, false, spec.Doc, spec.Comment, d.Doc)
			}
		}
	case *ast.TypeSpec:
		if !spec.Name.IsExported() {
			return
		}
		check(spec.Name, true, spec.Doc, d.Doc)
		if fields, ok := spec.Type.(*ast.StructType); ok && strings.HasSuffix(spec.Name.Name, "Config") {
			checkFields(fields, check)
		}
	}
}

// checkFields wants a comment of each field's own: it says meaning, unit and default.
func checkFields(s *ast.StructType, check func(*ast.Ident, bool, ...*ast.CommentGroup)) {
	for _, field := range s.Fields.List {
		for _, name := range field.Names {
			if name.IsExported() {
				check(name, false, field.Doc, field.Comment)
			}
		}
	}
}

// docFaultOf returns what is wrong with the first of a name's comments, or "".
func docFaultOf(name string, sentence bool, comments []*ast.CommentGroup) string {
	for _, c := range comments {
		text := strings.TrimSpace(c.Text())
		switch {
		case text == "":
			continue
		case sentence && !strings.ContainsAny(text, ".:"):
			return name + ": the comment is no full sentence"
		}
		return ""
	}
	return name + " has no comment"
}

// exportedReceiver reports whether a function is none of an unexported type's methods.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	typ := d.Recv.List[0].Type
	for {
		switch e := typ.(type) {
		case *ast.StarExpr:
			typ = e.X
		case *ast.IndexExpr:
			typ = e.X
		case *ast.IndexListExpr:
			typ = e.X
		case *ast.Ident:
			return e.IsExported()
		default:
			return true
		}
	}
}
