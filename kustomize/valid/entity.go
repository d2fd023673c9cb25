package valid

import (
	"regexp"
	"strings"

	calico "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	"github.com/projectcalico/api/pkg/lib/numorstring"
	"k8s.io/apimachinery/pkg/util/validation"
)

// entity checks one side of a rule.
func (k *checks) entity(at path, e *calico.EntityRule, havePorts bool) {
	k.selector(at.at("selector"), e.Selector)
	k.syntax(at.at("notSelector"), e.NotSelector)
	k.namespaceSelector(at.at("namespaceSelector"), e.NamespaceSelector)
	if e.ServiceAccounts != nil {
		k.syntax(at.at("serviceAccounts", "selector"), e.ServiceAccounts.Selector)
	}
	k.nets(at.at("nets"), e.Nets, false)
	k.nets(at.at("notNets"), e.NotNets, true)
	k.ports(at.at("ports"), e.Ports, havePorts)
	k.ports(at.at("notPorts"), e.NotPorts, havePorts)
	k.services(at.at("services"), e)
}

const (
	globalCall = "global("
	globalText = "global()"
)

var globalAlone = regexp.MustCompile(`^[ \t]*global\([ \t]*\)[ \t]*$`)

// misplacedGlobal reports whether a selector that is no namespaceSelector of a
// rule has global(). As Calico does, it looks at the text.
func misplacedGlobal(text string) bool { return strings.Contains(text, globalText) }

func (k *checks) namespaceSelector(at path, text string) {
	k.syntax(at, text)
	if strings.Contains(text, globalCall) && !globalAlone.MatchString(text) {
		k.add(at, "has global() beside other terms; it must stand alone, in a rule of its own")
	}
}

func (k *checks) ports(at path, ports []numorstring.Port, havePorts bool) {
	if len(ports) > 0 && !havePorts {
		k.add(at, "needs a protocol of TCP, UDP or SCTP in the rule")
	}
	for i, p := range ports {
		switch {
		case p.PortName != "":
			if errs := validation.IsValidPortName(p.PortName); len(errs) > 0 {
				k.add(at.at(i), "is %q, which is neither a port, a range nor a port's name: %s", p.PortName, errs[0])
			}
		case p.MinPort < 1 || p.MaxPort < p.MinPort:
			k.add(at.at(i), "is %s, and a port is 1 to 65535", p)
		}
	}
}

func (k *checks) services(at path, e *calico.EntityRule) {
	s := e.Services
	if s == nil {
		return
	}
	if s.Name == "" {
		k.add(at, "needs a name")
	}
	for _, part := range []struct{ field, name string }{{"name", s.Name}, {"namespace", s.Namespace}} {
		if part.name != "" && !isSubdomain.MatchString(part.name) {
			k.add(at.at(part.field), "is %q, which is no name", part.name)
		}
	}
	if e.Selector != "" || e.NotSelector != "" || e.NamespaceSelector != "" || e.ServiceAccounts != nil {
		k.add(at, "cannot stand beside selectors and serviceAccounts; make it a rule of its own")
	}
	if len(e.Nets)+len(e.NotNets) > 0 {
		k.add(at, "cannot stand beside nets; make it a rule of its own")
	}
}
