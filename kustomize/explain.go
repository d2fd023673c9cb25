package kustomize

import (
	"context"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"
)

// explain makes a problem of what kustomize (or the clock) said. The pre-flight finds
// the common faults itself; this is for the rest.
func (f *preflight) explain(folder string, err error) Problem {
	p := Problem{File: f.topName(folder), Line: 1}
	var slow errTooSlow
	switch {
	case errors.As(err, &slow):
		p.Message, p.Hint = slow.Error(), "simplify it, or raise limits.renderTime"
		return p
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		p.Message = "rendering was interrupted"
		return p
	}
	where, message := innermost(err.Error())
	for _, name := range kustomizationFiles() {
		if _, ok := f.served[path.Join(where, name)]; ok && where != "" {
			p.File = path.Join(where, name)
		}
	}
	if m := alreadyThere.FindStringSubmatch(message); m != nil {
		return f.twice(p, m[1], m[2])
	}
	if m := noTarget.FindStringSubmatch(message); m != nil {
		return f.untargeted(p, m[1], m[2])
	}
	p.Message = "kustomize: " + resourceID.ReplaceAllString(message, `$1 "$2"`)
	return p
}

// resourceIDPattern is how kustomize writes an object: Kind.version.group/name.namespace.
const resourceIDPattern = `([A-Z]\w*)\.(?:[\w-]+|\[no\w+\])\.(?:[\w.-]+|\[no\w+\])/([\w.-]+)\.(?:[\w-]+|\[no\w+\])`

var (
	recursed     = regexp.MustCompile(`recursed (?:accumulation of|merging from) path '` + repositoryMount + `/([^']*)': `)
	notAFolder   = regexp.MustCompile(`(?s)accumulation err='(.*)': must build at directory: .*`)
	noise        = regexp.MustCompile(`accumulating (?:resources|components)(?: from '[^']*')?: |accumulateDirectory: |merging resources from '[^']*': `)
	configText   = regexp.MustCompile("(?s)trouble configuring builtin (\\w+) with config: `.*?`: ")
	resourceID   = regexp.MustCompile(resourceIDPattern)
	alreadyThere = regexp.MustCompile(`already registered id: ` + resourceIDPattern)
	noTarget     = regexp.MustCompile(`no matches for Id ` + resourceIDPattern)
)

// innermost returns the folder in which an error of kustomize arose, "" if it does not
// say, and the error without the way to it.
func innermost(message string) (folder, text string) {
	message = strings.ReplaceAll(message, `\"`, `"`)
	if all := recursed.FindAllStringSubmatchIndex(message, -1); len(all) > 0 {
		last := all[len(all)-1]
		folder, message = message[last[2]:last[3]], message[last[1]:]
	}
	if m := notAFolder.FindStringSubmatch(message); m != nil {
		message = m[1]
	}
	message = noise.ReplaceAllString(message, "")
	message = configText.ReplaceAllString(message, "$1: ")
	message = strings.ReplaceAll(message, repositoryMount+"/", "")
	return folder, strings.Trim(strings.Join(strings.Fields(message), " "), `" `)
}

// twice explains an object that is there twice.
func (f *preflight) twice(p Problem, kind, name string) Problem {
	var found []manifest
	for _, m := range f.objects {
		if m.kind == kind && m.name == name {
			found = append(found, m)
		}
	}
	p.Message = fmt.Sprintf("%s %q is rendered twice", kind, name)
	p.Hint = "remove or rename one of them"
	if len(found) > 1 {
		last := found[len(found)-1]
		p.File, p.Line = last.file, last.node.Line
		p.Message = fmt.Sprintf("%s %q is also in %s:%d", kind, name, found[0].file, found[0].node.Line)
	} else if len(found) == 1 {
		p.Message += fmt.Sprintf(" from %s:%d", found[0].file, found[0].node.Line)
		p.Hint = "the base that holds it is used twice; use it once"
	}
	return p
}

// untargeted explains a patch for an object that is not there.
func (f *preflight) untargeted(p Problem, kind, name string) Problem {
	for _, m := range f.patches {
		if m.kind == kind && m.name == name {
			p.File, p.Line = m.file, m.node.Line
			break
		}
	}
	p.Message = fmt.Sprintf("the patch is for %s %q, which this kustomization's resources do not have", kind, name)
	p.Hint = "check apiVersion, kind, name and namespace; the guard's objects cannot be patched"
	return p
}
