package reach

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	calico "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	"k8s.io/apimachinery/pkg/util/validation"
)

// refused returns what Calico's API server refuses a policy for (libcalico-go/lib/validator/v3), where Felix, if the
// policy got past it, takes it as it is written, and what Felix takes otherwise than it is documented: the model then
// does as Felix does. nil if there is nothing.
func refused(p *policy, spec calicoSpec) *fieldError {
	for i, t := range spec.types {
		path := fmt.Sprintf("spec.types[%d]", i)
		if slices.Contains(spec.types[:i], t) {
			return fault(path, "write it once", "%s is given twice", t)
		}
		if t == calico.PolicyTypeEgress && p.hosts == "preDNAT" {
			return fault(path, "", "a preDNAT policy judges no egress")
		}
	}
	for _, field := range []struct{ path, text string }{
		{"spec.selector", spec.selector}, {"spec.namespaceSelector", spec.namespaces}, {"spec.serviceAccountSelector", spec.sas},
	} {
		if err := misplacedGlobal(field.path, field.text); err != nil {
			return err
		}
	}
	for dir, rules := range [2][]calico.Rule{Ingress: spec.ingress, Egress: spec.egress} {
		for i := range rules {
			if err := refusedRule(Direction(dir), fmt.Sprintf("spec.%s[%d]", Direction(dir), i), &rules[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

func misplacedGlobal(path, text string) *fieldError {
	if e, err := parseExpression(text); err == nil && e.uses(opGlobal) {
		return fault(path, "write all()", "global() belongs in the namespaceSelector of a rule alone; elsewhere it selects everything")
	}
	return nil
}

func refusedRule(dir Direction, path string, r *calico.Rule) *fieldError {
	for _, check := range []func() *fieldError{
		func() *fieldError { return refusedVersions(path, r) },
		func() *fieldError { return refusedICMP(path, r) },
		func() *fieldError { return refusedHTTP(path, dir, r) },
		func() *fieldError { return refusedEntity(path+".source", &r.Source, dir == Ingress) },
		func() *fieldError { return refusedEntity(path+".destination", &r.Destination, dir == Egress) },
	} {
		if err := check(); err != nil {
			return err
		}
	}
	if r.Destination.Services != nil && len(r.Destination.Ports)+len(r.Destination.NotPorts) > 0 {
		return fault(path+".destination.ports", "a Service brings its own ports", "cannot be combined with services")
	}
	if r.Metadata != nil {
		for _, key := range sortedKeys(r.Metadata.Annotations) {
			if len(validation.IsQualifiedName(strings.ToLower(key))) > 0 {
				return fault(path+".metadata.annotations", "", "%q is no key of an annotation", key)
			}
		}
	}
	return nil
}

// refusedVersions looks at the IP versions of all nets of a rule, and for nets that mean everything.
func refusedVersions(path string, r *calico.Rule) *fieldError {
	first := 0
	if r.IPVersion != nil {
		first = *r.IPVersion
	}
	for _, list := range []struct {
		field   string
		nets    []string
		negated bool
	}{
		{".source.nets", r.Source.Nets, false},
		{".source.notNets", r.Source.NotNets, true},
		{".destination.nets", r.Destination.Nets, false},
		{".destination.notNets", r.Destination.NotNets, true},
	} {
		for i, text := range list.nets {
			cidr, err := netip.ParsePrefix(text)
			if err != nil {
				continue
			}
			at := fmt.Sprintf("%s%s[%d]", path, list.field, i)
			version := 6
			if cidr.Addr().Is4() {
				version = 4
			}
			if first == 0 {
				first = version
			}
			if first != version {
				return fault(at, "write a rule for each version of IP", "the rule is of IPv%d, and %s is not", first, text)
			}
			if list.negated && cidr.Bits() == 0 {
				return fault(at, "leave the rule out", "a rule of everything but %s matches nothing", text)
			}
		}
	}
	return nil
}

func refusedICMP(path string, r *calico.Rule) *fieldError {
	if r.ICMP != nil && r.Protocol != nil && r.Protocol.StrVal == "" {
		return fault(path+".protocol", "write ICMP or ICMPv6", "must be a name where icmp is given")
	}
	if r.IPVersion == nil {
		return nil
	}
	for _, given := range []struct{ field, protocol string }{
		{".protocol", protocolText(r.Protocol)}, {".notProtocol", protocolText(r.NotProtocol)},
	} {
		if version := map[string]int{"ICMP": 4, "ICMPv6": 6}[given.protocol]; version != 0 && version != *r.IPVersion {
			return fault(path+given.field, "", "%s is of IPv%d, and the rule of IPv%d", given.protocol, version, *r.IPVersion)
		}
	}
	return nil
}

func refusedHTTP(path string, dir Direction, r *calico.Rule) *fieldError {
	if r.HTTP == nil {
		return nil
	}
	path += ".http"
	switch {
	case r.Action != calico.Allow:
		return fault(path, "", "only a rule that allows can look at HTTP")
	case r.Protocol != nil && r.Protocol.StrVal != "TCP":
		return fault(path, "write protocol: TCP, or none", "HTTP is TCP")
	case dir == Egress:
		return fault(path, "", "only ingress rules can look at HTTP")
	}
	for i, method := range r.HTTP.Methods {
		if slices.Contains(r.HTTP.Methods[:i], method) {
			return fault(fmt.Sprintf("%s.methods[%d]", path, i), "write it once", "%s is given twice", method)
		}
	}
	for i, p := range r.HTTP.Paths {
		at := fmt.Sprintf("%s.paths[%d]", path, i)
		text := p.Exact + p.Prefix
		switch {
		case (p.Exact == "") == (p.Prefix == ""):
			return fault(at, "", "one of exact and prefix must be given")
		case text[0] != '/' || strings.ContainsAny(text, "? #"):
			return fault(at, "", "%q is no path: it must begin with / and hold no query and no fragment", text)
		}
	}
	return nil
}

// refusedEntity looks at one side of a rule; peer says that it is the other side than the policy's own.
func refusedEntity(path string, r *calico.EntityRule, peer bool) *fieldError {
	if err := misplacedGlobal(path+".selector", r.Selector); err != nil {
		return err
	}
	alone := strings.Count(r.NamespaceSelector, "(") == 1
	if e, err := parseExpression(r.NamespaceSelector); err == nil && e.uses(opGlobal) && (e.op != opGlobal || !alone) {
		return fault(path+".namespaceSelector", "write global() alone, in a rule of its own", "global() cannot be combined with other terms")
	}
	if r.Services == nil {
		return nil
	}
	path += ".services"
	switch {
	case !peer:
		return fault(path, "", "services belong in the source of ingress rules and the destination of egress rules")
	case r.Selector != "" || r.NotSelector != "" || r.NamespaceSelector != "" || r.ServiceAccounts != nil:
		return fault(path, "write a rule of its own for each", "cannot be combined with selectors")
	case len(r.Nets)+len(r.NotNets) > 0:
		return fault(path, "write a rule of its own for each", "cannot be combined with nets")
	case r.Services.Namespace == "":
		return fault(path+".namespace", "write the namespace", "Calico looks for a Service without one in no namespace, and the rule matches nothing")
	}
	for _, part := range []struct{ field, name string }{{".name", r.Services.Name}, {".namespace", r.Services.Namespace}} {
		if part.name != "" && len(validation.IsDNS1123Subdomain(part.name)) > 0 {
			return fault(path+part.field, "", "%q is no name", part.name)
		}
	}
	return nil
}
