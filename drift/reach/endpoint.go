package reach

import (
	"net/netip"
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
}

type namedPort struct {
	name     string
	protocol uint8
	number   uint16
}

// String returns "namespace/name".
func (e *Endpoint) String() string { return e.Namespace + "/" + e.Name }

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

// Label returns the value of one of the workload's own labels.
func (e *Endpoint) Label(key string) (value string, ok bool) {
	value, ok = e.labels[key]
	return value, ok
}
