package valid

import (
	"reflect"

	calico "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
)

// policy is what the specs of all four of Calico's own kinds of policies have
// in common.
type policy struct {
	selector, serviceAccounts string
	types                     []calico.PolicyType
	hints                     []calico.PolicyPerformanceHint
	ingress, egress           []calico.Rule
}

// global is what those of the cluster-scoped ones have besides.
type global struct {
	policy
	namespaces                          string
	doNotTrack, preDNAT, applyOnForward bool
}

func policyOf(s *calico.NetworkPolicySpec) policy {
	return policy{s.Selector, s.ServiceAccountSelector, s.Types, s.PerformanceHints, s.Ingress, s.Egress}
}

func stagedOf(s *calico.StagedNetworkPolicySpec) policy {
	return policy{s.Selector, s.ServiceAccountSelector, s.Types, s.PerformanceHints, s.Ingress, s.Egress}
}

func globalOf(s *calico.GlobalNetworkPolicySpec) global {
	p := policy{s.Selector, s.ServiceAccountSelector, s.Types, s.PerformanceHints, s.Ingress, s.Egress}
	return global{p, s.NamespaceSelector, s.DoNotTrack, s.PreDNAT, s.ApplyOnForward}
}

func stagedGlobalOf(s *calico.StagedGlobalNetworkPolicySpec) global {
	p := policy{s.Selector, s.ServiceAccountSelector, s.Types, s.PerformanceHints, s.Ingress, s.Egress}
	return global{p, s.NamespaceSelector, s.DoNotTrack, s.PreDNAT, s.ApplyOnForward}
}

func (k *checks) policy(p policy) {
	k.selector(path{"spec", "selector"}, p.selector)
	k.selector(path{"spec", "serviceAccountSelector"}, p.serviceAccounts)
	for i, t := range p.types {
		if t != calico.PolicyTypeIngress && t != calico.PolicyTypeEgress {
			k.add(path{"spec", "types", i}, "is %q, and must be Ingress or Egress", t)
		}
	}
	unique(k, path{"spec", "types"}, p.types)
	for i, hint := range p.hints {
		if hint != calico.PerfHintAssumeNeededOnEveryNode {
			k.add(path{"spec", "performanceHints", i}, "is %q, and must be %s", hint, calico.PerfHintAssumeNeededOnEveryNode)
		}
	}
	unique(k, path{"spec", "performanceHints"}, p.hints)
	for i := range p.ingress {
		k.rule(path{"spec", "ingress", i}, &p.ingress[i])
		k.ingressOnly(path{"spec", "ingress", i}, &p.ingress[i])
	}
	for i := range p.egress {
		k.rule(path{"spec", "egress", i}, &p.egress[i])
		k.egressOnly(path{"spec", "egress", i}, &p.egress[i])
	}
}

func (k *checks) ingressOnly(at path, r *calico.Rule) {
	if r.Destination.Services != nil {
		k.add(at.at("destination", "services"), "cannot be in an ingress rule, whose services are in its source")
	}
}

func (k *checks) egressOnly(at path, r *calico.Rule) {
	if r.Source.Services != nil {
		k.add(at.at("source", "services"), "cannot be in an egress rule, whose services are in its destination")
	}
	if r.HTTP != nil {
		k.add(at.at("http"), "cannot be in an egress rule: only ingress rules look at HTTP")
	}
}

func (k *checks) globalPolicy(g global) {
	k.policy(g.policy)
	k.selector(path{"spec", "namespaceSelector"}, g.namespaces)
	if g.preDNAT && g.doNotTrack {
		k.add(path{"spec", "preDNAT"}, "cannot be true beside doNotTrack")
	}
	if g.preDNAT && len(g.egress) > 0 {
		k.add(path{"spec", "egress"}, "cannot be in a policy with preDNAT, which judges no egress")
	}
	for i, t := range g.types {
		if g.preDNAT && t == calico.PolicyTypeEgress {
			k.add(path{"spec", "types", i}, "cannot be Egress in a policy with preDNAT")
		}
	}
	if !g.applyOnForward && (g.doNotTrack || g.preDNAT) {
		k.add(path{"spec"}, "needs applyOnForward: true beside preDNAT or doNotTrack")
	}
	for i := range g.ingress {
		k.serviceNamespace(path{"spec", "ingress", i, "source"}, &g.ingress[i].Source)
	}
	for i := range g.egress {
		k.serviceNamespace(path{"spec", "egress", i, "destination"}, &g.egress[i].Destination)
	}
}

func (k *checks) serviceNamespace(at path, e *calico.EntityRule) {
	if e.Services != nil && e.Services.Namespace == "" {
		k.add(at.at("services"), "needs a namespace in a cluster-scoped policy")
	}
}

// stagedAction checks the action of a staged policy, and that one which deletes
// has nothing else in its spec but the field that may stay. It reports whether
// the rest counts.
func (k *checks) stagedAction(action calico.StagedAction, spec any, mayStay string) bool {
	at := path{"spec", "stagedAction"}
	switch action {
	case "", calico.StagedActionSet, calico.StagedActionLearn, "Ignore":
		return true
	case calico.StagedActionDelete:
	default:
		k.add(at, "is %q, and must be Set, Delete, Learn or Ignore", action)
		return true
	}
	fields := reflect.ValueOf(spec)
	for i := range fields.NumField() {
		if name := fields.Type().Field(i).Name; name != "StagedAction" && name != mayStay && !fields.Field(i).IsZero() {
			k.add(at, "is Delete, and then the rest of spec must be empty")
			break
		}
	}
	return false
}
