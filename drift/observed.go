package drift

import (
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ringfence/ringfence/kustomize/kinds"
)

// Observed is one live object as a watch last reported it. It must not be
// changed.
type Observed struct {
	*unstructured.Unstructured
	// ID names the object.
	ID ID
	// Seen is when this state reached this process; zero if it was there when
	// the watch began.
	Seen time.Time

	stored *form // of what Calico's API server keeps; nil of all else
	alias  ID    // the other spelling, by which it cannot be found; zero if there is none
}

func observe(k kinds.Kind, u *unstructured.Unstructured, seen time.Time) *Observed {
	id := ID{Kind: k, Name: u.GetName()}
	if k.Namespaced {
		id.Namespace = u.GetNamespace()
	}
	o := &Observed{Unstructured: u, ID: id, Seen: seen}
	if k.Group == kinds.GroupStored {
		o.stored = formOf(k, u)
	}
	return o
}

// newer says whether resource version a was written after b. Resource versions
// of one resource are comparable as numbers (Kubernetes API conventions, since
// 1.35); where one is not a number, the later report wins.
func newer(a, b string) bool {
	x, errX := strconv.ParseUint(a, 10, 64)
	y, errY := strconv.ParseUint(b, 10, 64)
	return errX != nil || errY != nil || x > y
}

// surelyNewer is newer, but that what is not a number is not.
func surelyNewer(a, b string) bool {
	x, errX := strconv.ParseUint(a, 10, 64)
	y, errY := strconv.ParseUint(b, 10, 64)
	return errX == nil && errY == nil && x > y
}
