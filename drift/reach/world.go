package reach

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Config is what a World is made of.
type Config struct {
	// Objects are namespaces, workloads, service accounts, Services, EndpointSlices, nodes and policies, in any order.
	// Objects of other kinds are ignored. An object that is given in both of Calico's API groups counts once.
	Objects []Object
	// Unread are policies that are missing from Objects and should be among them.
	Unread []Unread
	// Workloads are named without an object, such as those of a PolicyTest: their labels are known, their container
	// ports are not.
	Workloads []Workload
	// PodCIDRs are the addresses that pods may have whose own is not known. Empty means any address.
	PodCIDRs []netip.Prefix
	// NodeCIDRs are the addresses that nodes, and so hostNetwork pods, may have, tunnel addresses included. Empty means
	// any address.
	NodeCIDRs []netip.Prefix
	// CalicoVersion is "major.minor", with or without v and patch; "" means 3.31. Policies of equal order are evaluated
	// in another order from 3.32 on, and AdminNetworkPolicy is no longer.
	CalicoVersion string
	// Pending evaluates staged policies as if they were enforced, beside the enforced ones.
	Pending bool
	// Implied adds the workloads that nothing names but that there may be: in each namespace a pod without labels, called
	// "(other)", and one for each selector of a policy that no workload satisfies, called by its labels; and a pod of a
	// namespace that nothing names. A policy then shows what it does even where no workload is known.
	Implied bool
	// Cast are workloads that the policies of other worlds imply, as their Implied says: two worlds that are to be compared
	// must have the same. Their namespaces have the labels that they have here, if they are given.
	Cast []*Endpoint
	// WholeWorld says that what is given is all there is: a namespace, service account, Service or host endpoint that is
	// not given does not exist or has no labels. Otherwise what depends on it is unknown.
	WholeWorld bool
}

// Workload is a workload that is named without an object.
type Workload struct {
	Namespace, Name string
	Labels          map[string]string
	ServiceAccount  string // "" is default
	Origin          Origin // where it is named
}

// objectKey tells the two stored forms of one Calico object apart.
type objectKey struct {
	Ref
	crd bool
}

// World is everything that decides who can reach whom, at one moment. It is changed by Apply only, and by the first call
// of Connectivity or Effect, which fills a cache: neither may run beside another call. Otherwise its methods may be used
// concurrently.
type World struct {
	config              Config
	reader              reader
	workloads, casts    map[string][]*Endpoint // those of the configuration, by namespace
	unread              map[string][]*policy   // what stands for policies that could not be read
	podSpace, nodeSpace Addresses
	doubles             []*Problem
	index
	conn *matrix // nil until Connectivity is first asked for
}

// New reads the objects. The error concerns the configuration alone: objects that cannot be read are reported by
// Problems, and whatever a malformed policy could decide is unknown.
func New(config Config) (*World, error) {
	prefixed, err := PrefixedNames(config.CalicoVersion)
	if err != nil {
		return nil, err
	}
	w := &World{
		config: config, reader: reader{prefixed}, workloads: map[string][]*Endpoint{}, casts: map[string][]*Endpoint{},
		unread: map[string][]*policy{}, podSpace: spaceOf(config.PodCIDRs), nodeSpace: spaceOf(config.NodeCIDRs),
	}
	for _, named := range config.Workloads {
		w.workloads[named.Namespace] = append(w.workloads[named.Namespace], named.endpoint())
	}
	for _, e := range config.Cast {
		w.casts[e.Namespace] = append(w.casts[e.Namespace], e)
	}
	for _, u := range config.Unread {
		w.unread[u.Namespace] = append(w.unread[u.Namespace], u.policy())
	}
	items := map[string]map[objectKey]*item{}
	for _, o := range config.Objects {
		it, used := w.reader.read(o)
		if !used {
			continue
		}
		key, home := objectKey{it.key, it.crd}, it.home()
		if items[home] == nil {
			items[home] = map[objectKey]*item{}
		}
		if old := items[home][key]; old != nil {
			it = w.double(old, it)
		}
		items[home][key] = it
	}
	w.build(items)
	return w, nil
}

// endpoint is the workload as far as it is known.
func (n Workload) endpoint() *Endpoint {
	return &Endpoint{
		Ref:       Ref{Kind: "Workload", Namespace: n.Namespace, Name: n.Name},
		Namespace: n.Namespace, Name: n.Name, labels: ownLabels(n.Labels), account: cmp.Or(n.ServiceAccount, "default"),
		Origin: n.Origin,
	}
}

// PrefixedNames reports whether a Calico version, "major.minor" with or without v and patch, keeps the tier in a
// policy's name, as those up to 3.31 do; "" means 3.31.
func PrefixedNames(version string) (bool, error) {
	if version == "" {
		return true, nil
	}
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	if len(parts) >= 2 {
		major, err1 := strconv.Atoi(parts[0])
		minor, err2 := strconv.Atoi(parts[1])
		if err1 == nil && err2 == nil {
			return major < 3 || (major == 3 && minor < 32), nil
		}
	}
	return false, fmt.Errorf("reading Calico version %q: it must be major.minor, such as 3.31", version)
}

// double notes that an object is given twice and returns the one that counts: that of the first place, so that the
// order of the input does not matter. Of a policy it is not known which of the two holds.
func (w *World) double(a, b *item) *item {
	if cmp.Or(cmp.Compare(a.origin.File, b.origin.File), cmp.Compare(a.origin.Line, b.origin.Line)) > 0 {
		a, b = b, a
	}
	w.doubles = append(w.doubles, &Problem{
		Object: b.key, Origin: b.origin, Message: "is defined twice; the other is at " + a.origin.String(), Hint: "keep one of them",
	})
	if a.policy != nil {
		unsure := *a.policy
		unsure.brokenIf(fault("", "keep one of them", "is defined twice"))
		a.policy = &unsure
	}
	return a
}

// Problems returns every object that could not be read as it was meant, sorted by place.
func (w *World) Problems() []*Problem {
	out := slices.Clone(w.doubles)
	for _, r := range w.rooms.all() {
		for _, it := range r.items {
			if it.problem != nil {
				out = append(out, it.problem)
			}
		}
	}
	slices.SortFunc(out, func(a, b *Problem) int {
		return cmp.Or(cmp.Compare(a.Origin.File, b.Origin.File), cmp.Compare(a.Origin.Line, b.Origin.Line), cmp.Compare(a.Error(), b.Error()))
	})
	return out
}

// Endpoints returns every workload of the world, sorted by namespace and name.
func (w *World) Endpoints() []*Endpoint {
	var out []*Endpoint
	for _, name := range w.roomNames() {
		out = append(out, w.room(name).endpoints...)
	}
	return out
}

// Implied returns the workloads that no object names, sorted by namespace and name.
func (w *World) Implied() []*Endpoint {
	return slices.DeleteFunc(w.Endpoints(), func(e *Endpoint) bool { return !e.Implied })
}

// Endpoint returns one workload by namespace and name; nil if there is none.
func (w *World) Endpoint(namespace, name string) *Endpoint {
	for _, e := range w.room(namespace).endpoints {
		if e.Name == name {
			return e
		}
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func itoa(i int) string { return strconv.Itoa(i) }
