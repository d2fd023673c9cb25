package reach

import "strings"

// freePod is a pod of which only the possible namespaces are known: any label of its own may be there or not.
type freePod struct {
	match func(namespace string) bool
	world *World
}

func (f *freePod) label(key string) (string, bool, bool) {
	if key == labelOrchestrator {
		return "k8s", true, true
	}
	return "", key == labelNamespace, false
}

// holds judges an operation on a label that is not known: about namespaces it asks all that the pod may be in.
func (f *freePod) holds(e *expression) truth {
	key, isNamespace := strings.CutPrefix(e.key, prefixNamespace)
	isName := e.key == labelNamespace || (isNamespace && (key == keyName || key == keyMetadataName))
	switch {
	case isName && e.op == opHas:
		return yes
	case !isName && !isNamespace:
		return maybe
	}
	held, failed := false, false
	note := func(t truth) {
		held, failed = held || t != no, failed || t != yes
	}
	for name := range f.world.rooms.all() {
		if !f.world.knows(name) || !f.match(name) {
			continue
		}
		value, present, known := name, true, true
		if !isName {
			value, present, known = f.world.inheritedOf(name).label(key, true)
		}
		if !known {
			return maybe
		}
		note(truthOf(e.holds(value, present)))
	}
	if f.match("") {
		note(f.elsewhere(e, isName))
	}
	switch {
	case held && failed:
		return maybe
	case held:
		return yes
	}
	return no
}

// elsewhere judges an operation on a namespace that is not known. Its name is none of those that are.
func (f *freePod) elsewhere(e *expression, isName bool) truth {
	if !isName || (e.op != opEqual && e.op != opNotEqual && e.op != opIn && e.op != opNotIn) {
		return maybe
	}
	for _, name := range e.values {
		if !f.world.knows(name) && f.match(name) {
			return maybe
		}
	}
	return truthOf(e.op == opNotEqual || e.op == opNotIn)
}

// free reports whether the endpoint is a pod that may have any labels.
func (e *Endpoint) free() bool {
	if e == nil {
		return false
	}
	_, ok := e.view.(*freePod)
	return ok
}
