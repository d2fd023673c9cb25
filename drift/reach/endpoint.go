package reach

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// Endpoint is a workload that can be one end of a connection: a pod, the pods of a controller's template, or a workload
// that a test or a policy's own selector implies. It is immutable.
type Endpoint struct {
	Ref       Ref    // the object that it is from; of kind Workload where it was named without an object
	Origin    Origin // zero for implied workloads
	Namespace string
	Name      string // as it is printed; unique in its namespace
	Implied   bool   // no object names it: a policy's selector does, or it stands for any other pod

	labels     map[string]string
	account    string // service account; "" where the workload has none
	host       bool   // hostNetwork: its addresses are the node's
	node       string
	namedPorts []namedPort
	portsKnown bool
	addresses  []netip.Addr
	single     bool   // exactly one pod, which always reaches itself
	owner      string // "Kind/name" of the controller, "" without
	view       labelSource
	at         whereabouts
}

type namedPort struct {
	name     string
	protocol uint8
	number   uint16
}

// String returns "namespace/name".
func (e *Endpoint) String() string { return e.Namespace + "/" + e.Name }

// sameLabels reports whether no selector can tell two endpoints of a world apart.
func (e *Endpoint) sameLabels(f *Endpoint) bool {
	a, known := e.view.(*podLabels)
	b, too := f.view.(*podLabels)
	return known && too && e.account == f.account && maps.Equal(e.labels, f.labels) && a.namespace.same(b.namespace) && a.account.same(b.account)
}

// sameBody reports whether two endpoints are the same but for their labels.
func (e *Endpoint) sameBody(f *Endpoint) bool {
	return e.Ref == f.Ref && e.Name == f.Name && e.host == f.host && e.node == f.node && e.single == f.single && e.at.same(f.at) &&
		e.portsKnown == f.portsKnown && slices.Equal(e.namedPorts, f.namedPorts)
}

func (e *Endpoint) same(f *Endpoint) bool { return e.sameBody(f) && e.sameLabels(f) }

// podLabels are the effective labels of an endpoint: its own without those that pretend to be inherited, Calico's three,
// and those that it inherits from its namespace (pcns.) and its service account (pcsa.).
type podLabels struct {
	endpoint  *Endpoint
	namespace inherited
	account   inherited
}

// inherited are the labels of a namespace or a service account. known is false where the object was not given, so that
// only its name is known.
type inherited struct {
	name   string
	labels map[string]string
	known  bool
}

func (i inherited) label(key string, isNamespace bool) (string, bool, bool) {
	if key == keyName || (isNamespace && key == keyMetadataName) {
		return i.name, true, true
	}
	value, present := i.labels[key]
	return value, present, i.known
}

func (l *podLabels) label(key string) (string, bool, bool) {
	switch {
	case key == labelNamespace:
		return l.endpoint.Namespace, true, true
	case key == labelOrchestrator:
		return "k8s", true, true
	case key == labelServiceAccount:
		return l.endpoint.account, l.endpoint.account != "", true
	case strings.HasPrefix(key, prefixNamespace):
		return l.namespace.label(key[len(prefixNamespace):], true)
	case strings.HasPrefix(key, prefixAccount):
		if l.endpoint.account == "" {
			return "", false, true
		}
		return l.account.label(key[len(prefixAccount):], false)
	}
	value, present := l.endpoint.labels[key]
	return value, present, true
}

// setLabels are the labels of a namespaced NetworkSet.
type setLabels struct {
	own       map[string]string
	namespace inherited
}

func (l *setLabels) label(key string) (string, bool, bool) {
	if key == labelNamespace {
		return l.namespace.name, true, true
	}
	if strings.HasPrefix(key, prefixNamespace) {
		return l.namespace.label(key[len(prefixNamespace):], true)
	}
	value, present := l.own[key]
	return value, present, true
}

// hostLabels are those of a host endpoint of which nothing is known but that it is none of Kubernetes' workloads.
type hostLabels struct{}

func (hostLabels) label(key string) (string, bool, bool) {
	if key == labelNamespace || key == labelOrchestrator || key == labelServiceAccount ||
		strings.HasPrefix(key, prefixNamespace) || strings.HasPrefix(key, prefixAccount) {
		return "", false, true
	}
	return "", false, false
}

// Labels returns a copy of the workload's own labels.
func (e *Endpoint) Labels() map[string]string { return maps.Clone(e.labels) }

// Label returns the value of one of the workload's own labels.
func (e *Endpoint) Label(key string) (value string, ok bool) {
	value, ok = e.labels[key]
	return value, ok
}
