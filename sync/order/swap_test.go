package order

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ringfence/ringfence/drift/exposure"
	"github.com/ringfence/ringfence/drift/reach"
	"github.com/ringfence/ringfence/sync/order/random"
)

// Two policies exchange what they deny: neither can be written first, unless one of them denies both for a while, which does
// nothing by itself.
func TestExchangedDenials(t *testing.T) {
	policy := func(name string, order int64, rule object) object {
		return object{"apiVersion": "projectcalico.org/v3", "kind": "GlobalNetworkPolicy", "metadata": object{"name": "default." + name}, "spec": object{
			"tier": "default", "order": order, "types": []any{"Egress"}, "selector": "all()", "egress": []any{rule},
		}}
	}
	deny := func(name, net string) object {
		return policy(name, 10, object{"action": "Deny", "destination": object{"nets": []any{net}}})
	}
	const one, two = "203.0.113.0/25", "203.0.113.128/25"
	rest := policy("z", 20, object{"action": "Allow"})
	rapid.Check(t, func(t *rapid.T) {
		c := &cluster{t: t, now: map[string]object{}}
		c.old = random.Revision{"": {deny("a", one), deny("b", two), rest}}
		c.new = random.Revision{"": {deny("a", two), deny("b", one), rest}}
		for o := range c.old.All() {
			c.now[random.Key(o)] = o
		}
		p := &passage{
			cluster: c, planner: New(), judge: exposure.New(), from: c.world(c.old.All()), to: c.world(c.new.All()), sum: &outcome{},
			questions: map[string]Question{}, orders: map[string]*Order{}, gains: map[string][]reach.Connection{}, beyond: map[string][]reach.Connection{},
		}
		p.ask("", false)
		require.Empty(t, p.orders[""].Waiting, "%v", dump(p.orders, p.questions))
		p.close([]string{""})
		p.open([]string{""})
		require.False(t, p.cut)
		require.True(t, reach.Diff(c.world(maps.Values(c.now)), p.to).Empty())
	})
}
