package reach

import (
	"cmp"
	"net/netip"
	"slices"
)

// index is what a World derives from its objects, rebuilt when they change.
type index struct {
	namespaces  map[string]inherited
	accounts    map[[2]string]inherited
	endpoints   []*Endpoint // sorted by namespace, name
	byNamespace map[string][]int
	policies    map[string][]*policy // by namespace; "" for global ones
	hostNotes   []*policy            // policies that may judge forwarded traffic on host endpoints
	tiers       map[string]*tier
	sets        []*netset
	setMatches  map[string]setMatch // by clause text
	services    map[serviceRef]*service
	slices      map[serviceRef][]*slice
	nodes       map[string][]netip.Addr
	hostEnds    bool
	podSpace    Addresses
	nodeSpace   Addresses
}

// setMatch is the addresses of the network sets that a clause selects, surely and possibly.
type setMatch struct{ sure, possible Addresses }

// effective returns the items that count, sorted by key: the stored form only where the API's form is not given.
func (w *World) effective() []*item {
	out := make([]*item, 0, len(w.items))
	for key, it := range w.items {
		if key.crd && w.items[objectKey{key.Ref, false}] != nil {
			continue
		}
		out = append(out, it)
	}
	slices.SortFunc(out, func(a, b *item) int { return compareRefs(a.key, b.key) })
	return out
}

func compareRefs(a, b Ref) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Group, b.Group))
}

func (w *World) build() {
	w.index = index{
		namespaces: map[string]inherited{}, accounts: map[[2]string]inherited{}, byNamespace: map[string][]int{},
		policies: map[string][]*policy{}, tiers: builtinTiers(), setMatches: map[string]setMatch{},
		services: map[serviceRef]*service{}, slices: map[serviceRef][]*slice{}, nodes: map[string][]netip.Addr{},
		podSpace: spaceOf(w.config.PodCIDRs), nodeSpace: spaceOf(w.config.NodeCIDRs),
	}
	items := w.effective()
	var endpoints []*Endpoint
	for _, it := range items {
		switch {
		case it.namespace != nil:
			w.namespaces[it.key.Name] = *it.namespace
		case it.account != nil:
			w.accounts[[2]string{it.key.Namespace, it.key.Name}] = *it.account
		case it.tier != nil:
			w.tiers[it.key.Name] = it.tier
		case it.service != nil:
			w.services[serviceRef{it.key.Namespace, it.key.Name}] = it.service
		case it.slice != nil:
			ref := serviceRef{it.slice.namespace, it.slice.service}
			w.slices[ref] = append(w.slices[ref], it.slice)
		case it.node != nil:
			w.nodes[it.node.name] = it.node.addresses
		case it.endpoint != nil:
			endpoints = append(endpoints, it.endpoint)
		}
		w.hostEnds = w.hostEnds || it.hostEnd
	}
	for _, it := range items {
		if it.set != nil {
			w.sets = append(w.sets, w.newSet(it))
		}
	}
	w.addEndpoints(endpoints)
	w.addCast()
	if w.config.Implied {
		w.addImplied(items)
	}
	for _, it := range items {
		if it.policy != nil {
			w.addPolicy(it.policy)
		}
	}
	for _, u := range w.config.Unread {
		w.addPolicy(u.policy())
	}
}

// spaceOf returns the addresses of prefixes; every address if there are none.
func spaceOf(prefixes []netip.Prefix) Addresses {
	if len(prefixes) == 0 {
		return AllAddresses()
	}
	return AddressesOf(prefixes...)
}

// inheritedOf returns the labels of a namespace; only its name is known if the object is not given.
func (w *World) inheritedOf(namespace string) inherited {
	if ns, ok := w.namespaces[namespace]; ok {
		return ns
	}
	return inherited{name: namespace, known: w.config.WholeWorld}
}

func (w *World) newSet(it *item) *netset {
	set := &netset{ref: it.key, origin: it.origin, addresses: it.set.addresses, broken: it.set.broken, labels: labelMap(it.set.labels)}
	if it.key.Namespace != "" {
		set.labels = &setLabels{it.set.labels, w.inheritedOf(it.key.Namespace)}
	}
	return set
}

// addEndpoints drops controllers whose pods are given, names the rest uniquely and gives each its labels.
func (w *World) addEndpoints(found []*Endpoint) {
	for _, named := range w.config.Workloads {
		found = append(found, &Endpoint{
			Ref:       Ref{Kind: "Workload", Namespace: named.Namespace, Name: named.Name},
			Namespace: named.Namespace, Name: named.Name, labels: ownLabels(named.Labels), account: cmp.Or(named.ServiceAccount, "default"),
			Origin: named.Origin, portsKnown: false,
		})
	}
	for _, e := range withoutTemplates(found) {
		e.view = w.viewOf(e)
		w.endpoints = append(w.endpoints, e)
	}
	w.sortEndpoints()
}

func (w *World) sortEndpoints() {
	slices.SortFunc(w.endpoints, func(a, b *Endpoint) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Ref.Kind, b.Ref.Kind))
	})
	w.byNamespace = map[string][]int{}
	for i, e := range w.endpoints {
		w.byNamespace[e.Namespace] = append(w.byNamespace[e.Namespace], i)
	}
}

func (w *World) viewOf(e *Endpoint) labelSource {
	account, ok := w.accounts[[2]string{e.Namespace, e.account}]
	if !ok {
		account = inherited{name: e.account, known: w.config.WholeWorld}
	}
	return &podLabels{e, w.inheritedOf(e.Namespace), account}
}

// withoutTemplates returns fresh copies of the endpoints, without the controllers of which a pod or a smaller
// controller is given, and with the kind in the name where two workloads of a namespace share one.
func withoutTemplates(found []*Endpoint) []*Endpoint {
	type place struct{ namespace, owner string }
	owned := map[place]bool{}
	names := map[[2]string]int{}
	for _, e := range found {
		if e.owner != "" {
			owned[place{e.Namespace, e.owner}] = true
		}
	}
	var out []*Endpoint
	for _, e := range found {
		if !owned[place{e.Namespace, e.Ref.Kind + "/" + e.Ref.Name}] {
			names[[2]string{e.Namespace, e.Name}]++
			fresh := *e
			out = append(out, &fresh)
		}
	}
	for _, e := range out {
		if names[[2]string{e.Namespace, e.Name}] > 1 {
			e.Name = e.Ref.Kind + "/" + e.Name
		}
	}
	return out
}

func (w *World) addPolicy(p *policy) {
	if p.staged && !w.config.Pending {
		return
	}
	if p.hosts != "" && (w.hostEnds || !w.config.WholeWorld) && p.subject.eval(hostLabels{}) != no {
		w.hostNotes = append(w.hostNotes, p)
	}
	if p.notPods {
		return
	}
	w.policies[p.ref.Namespace] = append(w.policies[p.ref.Namespace], p)
	w.matchSets(p)
}

// matchSets looks up which network sets the clauses of a policy select.
func (w *World) matchSets(p *policy) {
	if len(w.sets) == 0 {
		return
	}
	for _, rules := range p.rules {
		for _, r := range rules {
			for _, c := range []*clause{r.peer.pos, r.peer.neg, r.self.pos, r.self.neg} {
				if c == nil {
					continue
				}
				if _, done := w.setMatches[c.text]; !done {
					w.setMatches[c.text] = w.setMatchOf(c)
				}
			}
		}
	}
}

func (w *World) setMatchOf(c *clause) setMatch {
	var m setMatch
	for _, set := range w.sets {
		t := c.eval(set.labels)
		if t == no {
			continue
		}
		if m.possible = m.possible.Union(set.addresses); t == yes && !set.broken {
			m.sure = m.sure.Union(set.addresses)
		}
	}
	return m
}

// space returns the addresses that an endpoint may have.
func (w *World) space(e *Endpoint) Addresses {
	addresses := e.addresses
	if e.host && len(addresses) == 0 {
		addresses = w.nodes[e.node]
	}
	switch {
	case len(addresses) > 0:
		var out Addresses
		for _, addr := range addresses {
			out = out.Union(Addresses{[]addressSpan{{addr, addr}}})
		}
		return out
	case e.host:
		return w.nodeSpace
	}
	return w.podSpace
}

// located reports whether the addresses of an endpoint are known.
func (w *World) located(e *Endpoint) bool {
	return e != nil && (len(e.addresses) > 0 || (e.host && len(w.nodes[e.node]) > 0))
}
