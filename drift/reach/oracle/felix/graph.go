package felix

import (
	"fmt"

	"github.com/projectcalico/calico/app-policy/policystore"
	"github.com/projectcalico/calico/felix/calc"
	"github.com/projectcalico/calico/felix/config"
	"github.com/projectcalico/calico/felix/dataplane/external"
	"github.com/projectcalico/calico/felix/proto"
	"github.com/projectcalico/calico/felix/types"
	"github.com/projectcalico/calico/libcalico-go/lib/backend/api"
)

// perHost is the subscription by which a policy store keeps every endpoint of its node.
const perHost = "per-host-policies"

// compute runs updates through Felix's calculation graph, behind its validation filter, and returns what the graph tells
// the data plane, as the store that Calico's checker reads. newIPSet makes the store's IP sets.
func compute(updates []api.Update, newIPSet func(*proto.IPSetUpdate) policystore.IPSet) (*policystore.PolicyStore, error) {
	settings := config.New()
	settings.FelixHostname = node
	store := policystore.NewPolicyStore()
	var failed error
	sequencer := calc.NewEventSequencer(settings)
	sequencer.Callback = func(message any) {
		if set, ok := message.(*proto.IPSetUpdate); ok {
			store.IPSetByID[set.Id] = newIPSet(set)
			return
		}
		envelope, err := extdataplane.WrapPayloadWithEnvelope(message, 0)
		if err != nil {
			failed = fmt.Errorf("reading what Felix tells the data plane: %w", err)
			return
		}
		store.ProcessUpdate(perHost, envelope, true)
	}
	graph := calc.NewCalculationGraph(sequencer, nil, settings, func() {})
	accepted := &acceptance{graph: graph}
	filter := calc.NewValidationFilter(accepted, settings)
	filter.OnUpdates(updates)
	filter.OnStatusUpdated(api.InSync)
	graph.Flush()
	sequencer.Flush()
	if failed == nil {
		failed = accepted.err
	}
	if failed == nil {
		failed = whole(store)
	}
	return store, failed
}

// acceptance passes updates on to the graph and notes those that Felix's validation took away.
type acceptance struct {
	graph *calc.CalcGraph
	err   error
}

func (a *acceptance) OnStatusUpdated(status api.SyncStatus) { a.graph.OnStatusUpdated(status) }

func (a *acceptance) OnUpdates(updates []api.Update) {
	for _, u := range updates {
		if u.Value == nil {
			a.err = fmt.Errorf("validating as Felix does: %v is treated as missing", u.Key)
		}
	}
	a.graph.OnUpdates(updates)
}

// whole makes sure that everything is there that the checker would quietly leave out: policies, profiles and IP sets
// that are named.
func whole(store *policystore.PolicyStore) error {
	for id, endpoint := range store.Endpoints {
		for _, tier := range endpoint.Tiers {
			for _, name := range append(append([]string(nil), tier.IngressPolicies...), tier.EgressPolicies...) {
				if store.PolicyByID[types.PolicyID{Tier: tier.Name, Name: name}] == nil {
					return fmt.Errorf("checking the store: policy %s of %v is not there", name, id)
				}
			}
		}
		for _, name := range endpoint.ProfileIds {
			if store.ProfileByID[types.ProfileID{Name: name}] == nil {
				return fmt.Errorf("checking the store: profile %s of %v is not there", name, id)
			}
		}
	}
	for id, policy := range store.PolicyByID {
		for _, r := range append(append([]*proto.Rule(nil), policy.InboundRules...), policy.OutboundRules...) {
			for _, set := range setsOf(r) {
				if store.IPSetByID[set] == nil {
					return fmt.Errorf("checking the store: IP set %s of %v is not there", set, id)
				}
			}
		}
	}
	return nil
}

func setsOf(r *proto.Rule) []string {
	var out []string
	for _, list := range [][]string{
		r.SrcIpSetIds, r.DstIpSetIds, r.NotSrcIpSetIds, r.NotDstIpSetIds, r.DstIpPortSetIds,
		r.SrcNamedPortIpSetIds, r.DstNamedPortIpSetIds, r.NotSrcNamedPortIpSetIds, r.NotDstNamedPortIpSetIds,
	} {
		out = append(out, list...)
	}
	return out
}
