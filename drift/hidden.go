package drift

import "k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

// listingAnew is why a kind is blind between the moment in which nothing of it is
// hidden any more, by a tier or by an outlaw, and the list that shows it.
const listingAnew = "what was hidden has not been listed yet"

// hide notes what a list and a watch leave out; "" for nothing. What was hidden until
// then is not in any list yet, and no watch will tell of it: the kind is listed anew
// first.
func (w *watched) hide(what string) {
	w.noting.Lock()
	defer w.noting.Unlock()
	before := w.hidden.Load()
	if what == "" && before != nil && *before != "" {
		if *before == listingAnew {
			return // the list is on its way
		}
		what = listingAnew
		w.due.Add(1)
		select {
		case w.anew <- struct{}{}:
		default:
		}
	}
	w.setHidden(&what)
}

// again lists the kind anew, which is blind until then: what is held may be wrong.
func (w *watched) again() {
	w.noting.Lock()
	defer w.noting.Unlock()
	w.due.Add(1)
	select {
	case w.anew <- struct{}{}:
	default:
	}
	if hidden := w.hidden.Load(); hidden == nil && !w.kind.Tiered || hidden != nil && *hidden == "" {
		what := listingAnew
		w.setHidden(&what)
	}
}

// listed notes a whole list: if it began after all had become visible, it shows all.
func (w *watched) listed() {
	w.noting.Lock()
	defer w.noting.Unlock()
	if hidden := w.hidden.Load(); hidden != nil && *hidden == listingAnew && w.begun.Load() == w.due.Load() {
		w.setHidden(new(string))
		w.cluster.retier() // who waited for the list looks again
	}
}

// doubt makes a kind blind before it takes over a list in which something is missing
// that it holds: it may be gone, or have been hidden since. Who asks the tiers tells.
func (w *watched) doubt(list []any) {
	if !w.kind.Tiered || !w.cluster.Flavour().Dialect().HidesTiers || !w.store.loses(list) {
		return
	}
	w.noting.Lock()
	if hidden := w.hidden.Load(); hidden != nil && *hidden == "" {
		w.setHidden(nil)
	}
	w.noting.Unlock()
	w.cluster.retier()
}

// setHidden needs noting.
func (w *watched) setHidden(what *string) {
	first, saw := w.reason.Load() == nil, w.blind() == ""
	w.hidden.Store(what)
	if !first {
		w.tell(first, saw)
	}
}

// loses reports whether something that is held is not in a list.
func (s *store) loses(list []any) bool {
	in := make(map[[2]string]bool, len(list))
	for _, obj := range list {
		if u, ok := obj.(*unstructured.Unstructured); ok {
			in[[2]string{s.key(u), u.GetName()}] = true
		}
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for namespace, objects := range s.objects {
		for name := range objects {
			if !in[[2]string{namespace, name}] {
				return true
			}
		}
	}
	return false
}
