package drift

import "k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

// Why a tiered kind is blind while it is being found out what its lists leave out.
const (
	// notAsked: nobody has asked yet, or something is missing from a list that is held.
	notAsked = "whether tiers are hidden is not known yet"
	// listingAnew: nothing is hidden any more, by a tier or by an outlaw, and the list that
	// shows it has not come.
	listingAnew = "what was hidden has not been listed yet"
	// confirming: that list has come, and something is missing from it that was held.
	confirming = "whether what was listed is the whole is not known yet"
)

// hide notes what a list and a watch leave out; "" for nothing. What was hidden until
// then, or may have been, is not in any list yet, and no watch will tell of it: the kind
// is listed anew first. Only what is listed between two answers that nothing is hidden is
// known to be the whole; a list in which nothing is missing needs no second one.
func (w *watched) hide(what string) {
	hides := w.cluster.Flavour().Dialect().HidesTiers
	w.noting.Lock()
	defer w.noting.Unlock()
	if what != "" {
		w.setHidden(&what)
		return
	}
	switch before := w.hidden.Load(); {
	case before == nil && (!hides || w.begun.Load() == 0): // the first list is yet to begin
	case before == nil:
		what = listingAnew
	case *before == "":
		return
	case *before == listingAnew:
		return // the list is on its way
	case *before != confirming:
		what = listingAnew
	}
	if what == listingAnew {
		w.listAnew()
	}
	w.setHidden(&what)
}

// again lists the kind anew, which is blind until then: what is held may be wrong.
func (w *watched) again() {
	w.noting.Lock()
	defer w.noting.Unlock()
	w.listAnew()
	if hidden := w.hidden.Load(); hidden == nil && !w.kind.Tiered || hidden != nil && (*hidden == "" || *hidden == confirming) {
		what := listingAnew
		w.setHidden(&what)
	}
}

// listAnew needs noting.
func (w *watched) listAnew() {
	w.due.Add(1)
	select {
	case w.anew <- struct{}{}:
	default:
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
	switch hidden := w.hidden.Load(); {
	case hidden == nil:
	case *hidden == "":
		w.setHidden(nil)
	case *hidden == listingAnew && w.begun.Load() == w.due.Load():
		what := confirming
		w.setHidden(&what)
	}
	w.noting.Unlock()
	w.cluster.retier()
}

// setHidden needs noting.
func (w *watched) setHidden(what *string) {
	saw := w.blind() == ""
	w.hidden.Store(what)
	if w.reason.Load() != nil {
		w.tell(saw)
	}
}

// unasked notes that it cannot be found out what is hidden. Who has just begun to watch says
// so now: see [watched.tell].
func (w *watched) unasked(err error) {
	w.noting.Lock()
	defer w.noting.Unlock()
	if reason := w.reason.Load(); reason != nil && *reason == "" && w.hidden.Load() == nil {
		w.warn(err.Error())
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
