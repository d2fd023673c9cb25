package reach

import (
	"fmt"
	"net/netip"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// tenantObjects makes tenants of three workloads and five policies each: deny-all, one for each workload, DNS.
func tenantObjects(tenants int) []Object {
	var out []Object
	add := func(apiVersion, kind, namespace, name string, labels, spec dict) {
		meta := dict{"name": name}
		if namespace != "" {
			meta["namespace"] = namespace
		}
		if labels != nil {
			meta["labels"] = labels
		}
		o := dict{"apiVersion": apiVersion, "kind": kind, "metadata": meta}
		if spec != nil {
			o["spec"] = spec
		}
		out = append(out, Object{Content: o, Origin: Origin{File: namespace + "/" + name + ".yaml", Line: 1}})
	}
	add("v1", "Namespace", "", "kube-system", nil, nil)
	add("v1", "Pod", "kube-system", "dns", dict{"k8s-app": "kube-dns"}, dict{})
	for i := range tenants {
		ns := fmt.Sprintf("caas-%05d", i)
		add("v1", "Namespace", "", ns, dict{"tenant": ns}, nil)
		for _, app := range []string{"cloudify-manager", "postgres", "rabbitmq"} {
			add("v1", "Pod", ns, app, dict{"app": app}, dict{"containers": []any{}})
		}
		for _, p := range tenantPolicies() {
			add("networking.k8s.io/v1", "NetworkPolicy", ns, p.name, nil, p.spec)
		}
	}
	return out
}

type namedSpec struct {
	name string
	spec dict
}

func tenantPolicies() []namedSpec {
	app := func(name string) dict { return dict{"matchLabels": dict{"app": name}} }
	tcp := func(ports ...int64) []any {
		var out []any
		for _, p := range ports {
			out = append(out, dict{"protocol": "TCP", "port": p})
		}
		return out
	}
	both := []any{"Ingress", "Egress"}
	internet := []any{dict{"ipBlock": dict{"cidr": "0.0.0.0/0", "except": []any{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16"}}}}
	amqp := tcp(5671, 5672, 15671, 15672)
	return []namedSpec{
		{"deny-all", dict{"podSelector": dict{}, "policyTypes": both}},
		{"cloudify-manager", dict{"podSelector": app("cloudify-manager"), "policyTypes": both, "egress": []any{
			dict{"to": []any{dict{"podSelector": app("postgres")}}, "ports": tcp(5432)},
			dict{"to": []any{dict{"podSelector": app("rabbitmq")}}, "ports": amqp},
			dict{"to": internet, "ports": tcp(443)},
		}, "ingress": []any{dict{"ports": tcp(80, 443)}}}},
		{"postgres", dict{"podSelector": app("postgres"), "policyTypes": both, "ingress": []any{dict{"from": []any{dict{"podSelector": app("cloudify-manager")}}, "ports": tcp(5432)}}}},
		{"rabbitmq", dict{"podSelector": app("rabbitmq"), "policyTypes": both, "ingress": []any{dict{"from": []any{dict{"podSelector": app("cloudify-manager")}}, "ports": amqp}}}},
		{"dns", dict{"podSelector": dict{}, "policyTypes": []any{"Egress"}, "egress": []any{dict{
			"to":    []any{dict{"namespaceSelector": dict{"matchLabels": dict{"kubernetes.io/metadata.name": "kube-system"}}, "podSelector": dict{"matchLabels": dict{"k8s-app": "kube-dns"}}}},
			"ports": []any{dict{"protocol": "UDP", "port": int64(53)}, dict{"protocol": "TCP", "port": int64(53)}},
		}}}},
	}
}

func tenantConfig(tenants int) Config {
	return Config{Objects: tenantObjects(tenants), WholeWorld: true, PodCIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
}

// clusterObjects adds what of a cluster concerns tenants: tiers, network sets and the policies that ask for them, for one
// tenant and for all.
func guardObjects() []Object {
	calico := func(kind, namespace, name string, labels map[string]string, spec dict) Object {
		return plainObject("projectcalico.org/v3", kind, namespace, name, labels, dict{"spec": spec})
	}
	pass := func(tier, selector string, rule dict) dict {
		spec := dict{"tier": tier, "order": 10.0, "selector": selector, "types": []any{"Ingress", "Egress"}}
		spec["egress"], spec["ingress"] = []any{rule, dict{"action": "Pass"}}, []any{dict{"action": "Pass"}}
		return spec
	}
	to := func(selector string) dict {
		return dict{"action": "Deny", "destination": dict{"selector": selector, "namespaceSelector": "global()"}}
	}
	return []Object{
		calico("Tier", "", "one", nil, dict{"order": 100.0, "defaultAction": "Deny"}),
		calico("Tier", "", "all", nil, dict{"order": 200.0, "defaultAction": "Deny"}),
		calico("GlobalNetworkSet", "", "wide", map[string]string{"set": "wide"}, dict{"nets": []any{"198.51.100.0/24"}}),
		calico("NetworkSet", "caas-00042", "narrow", map[string]string{"set": "narrow"}, dict{"nets": []any{"203.0.113.0/24"}}),
		calico("GlobalNetworkPolicy", "", "one.guard", nil, pass("one", "projectcalico.org/namespace == 'caas-00042'", to("set == 'wide'"))),
		calico("GlobalNetworkPolicy", "", "all.guard", nil, pass("all", "has(app)", to("set == 'other'"))),
		calico("GlobalNetworkPolicy", "", "labelled", nil, dict{
			"namespaceSelector": "guarded == 'yes'", "order": 1.0, "types": []any{"Ingress"}, "ingress": []any{dict{"action": "Deny", "protocol": "UDP"}},
		}),
		calico("NetworkPolicy", "caas-00042", "narrow", nil, dict{
			"selector": "app == 'postgres'", "types": []any{"Egress"},
			"egress": []any{dict{"action": "Allow", "destination": dict{"selector": "set == 'narrow'"}}},
		}),
	}
}

// cpu is the time that the process has spent, which other processes on the machine do not add to.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// The whole connectivity, in words. x-per-tenant is what a tenant costs against what it costs in the smallest world.
func BenchmarkConnectivity(b *testing.B) {
	var smallest float64
	for _, tenants := range []int{100, 1000, 5000} {
		config := tenantConfig(tenants)
		b.Run(fmt.Sprintf("%d_tenants", tenants), func(b *testing.B) {
			spent, rounds := time.Duration(0), 0
			for b.Loop() {
				var before, after runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				began, start := cpu(), time.Now()
				w, err := New(config)
				require.NoError(b, err)
				read := time.Since(start)
				c := w.Connectivity()
				whole := time.Since(start)
				report := c.Report(false)
				told := time.Since(start)
				spent, rounds = spent+cpu()-began, rounds+1
				runtime.GC()
				runtime.ReadMemStats(&after)
				b.ReportMetric(read.Seconds(), "read-s")
				b.ReportMetric((whole - read).Seconds(), "compute-s")
				b.ReportMetric((told - whole).Seconds(), "report-s")
				b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "live-MB")
				b.ReportMetric(float64(len(report.Connections)), "connections")
				runtime.KeepAlive(w)
			}
			each := spent.Seconds() / float64(rounds) / float64(tenants)
			if smallest == 0 {
				smallest = each
			}
			b.ReportMetric(spent.Seconds()/float64(rounds), "cpu-s")
			b.ReportMetric(each/smallest, "x-per-tenant")
		})
	}
}

// benchWorld is 5,000 tenants with their guard, its connectivity known, and what computing that took.
func benchWorld(b *testing.B) (*World, time.Duration) {
	b.Helper()
	config := tenantConfig(5000)
	config.Objects = append(config.Objects, guardObjects()...)
	w, err := New(config)
	require.NoError(b, err)
	require.Empty(b, w.Problems())
	began := cpu()
	w.Connectivity()
	return w, cpu() - began
}

// benchChanges are pairs of changes of which each undoes the other.
func benchChanges() map[string][2]Change {
	set := func(o Object, rest dict) Change {
		content := dict{}
		for key, value := range o.Content {
			content[key] = value
		}
		for key, value := range rest {
			content[key] = value
		}
		return Change{Object: Object{Content: content}}
	}
	guard := guardObjects()
	label := func(key, value string) Change {
		return Change{Object: plainObject("v1", "Namespace", "", "caas-00042", map[string]string{"tenant": "caas-00042", key: value}, nil)}
	}
	open := Object{Content: dict{
		"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": dict{"namespace": "caas-00042", "name": "open"},
		"spec": dict{"podSelector": dict{}, "policyTypes": []any{"Ingress", "Egress"}, "ingress": []any{dict{}}, "egress": []any{dict{}}},
	}}
	narrow := Object{Content: dict{
		"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": dict{"namespace": "caas-00042", "name": "backup"},
		"spec": dict{
			"podSelector": dict{}, "policyTypes": []any{"Ingress", "Egress"},
			"ingress": []any{dict{"from": []any{dict{"podSelector": dict{}}}}}, "egress": []any{dict{"to": []any{dict{"podSelector": dict{}}}}},
		},
	}}
	extra := plainObject("v1", "Pod", "caas-00042", "extra", map[string]string{"app": "postgres"}, dict{"spec": dict{}})
	nets := func(text string) dict { return dict{"spec": dict{"nets": []any{text}}} }
	tier := func(action string) dict { return dict{"spec": dict{"order": 100.0, "defaultAction": action}} }
	return map[string][2]Change{
		"policy":                     {{Object: narrow}, {Object: narrow, Removed: true}},
		"policy_that_opens_all":      {{Object: open}, {Object: open, Removed: true}},
		"namespace_label_unseen":     {label("team", "red"), label("tenant", "caas-00042")},
		"namespace_label_seen":       {label("guarded", "yes"), label("tenant", "caas-00042")},
		"network_set_of_one_tenant":  {set(guard[3], nets("203.0.113.0/25")), set(guard[3], nil)},
		"network_set_of_one_guard":   {set(guard[2], nets("198.51.100.0/25")), set(guard[2], nil)},
		"tier_of_one_tenant":         {set(guard[0], tier("Pass")), set(guard[0], nil)},
		"tier_of_all_tenants":        {set(guard[1], dict{"spec": dict{"order": 200.0, "defaultAction": "Pass"}}), set(guard[1], nil)},
		"workload":                   {{Object: extra}, {Object: extra, Removed: true}},
		"workload_that_all_may_call": {{Object: plainObject("v1", "Pod", "kube-system", "dns2", map[string]string{"k8s-app": "kube-dns"}, dict{"spec": dict{}})}, {Object: plainObject("v1", "Pod", "kube-system", "dns2", nil, nil), Removed: true}},
	}
}

// What one changed object costs in the world of 5,000 tenants: the rows that it touches (apply), and what it would do, in
// words, before it is done (effect). of-whole is against computing all rows.
func BenchmarkOneChange(b *testing.B) {
	w, whole := benchWorld(b)
	changes := benchChanges()
	for _, name := range sortedKeys(changes) {
		measured := func(b *testing.B, one func(Change)) {
			began, rounds := cpu(), 0
			for b.Loop() {
				one(changes[name][rounds%2])
				rounds++
			}
			each := (cpu() - began).Seconds() / float64(rounds)
			b.ReportMetric(each*1000, "cpu-ms")
			b.ReportMetric(each/whole.Seconds(), "of-whole")
			w.Apply(changes[name][1])
		}
		b.Run(name+"/apply", func(b *testing.B) { measured(b, func(c Change) { w.Apply(c) }) })
		b.Run(name+"/effect", func(b *testing.B) { measured(b, func(Change) { w.Effect(changes[name][0]) }) })
	}
}

// The difference of two connectivities of 5,000 tenants that differ by one policy: of one world before and after, and of two
// worlds that have nothing in common. of-whole is against computing all rows.
func BenchmarkDiff(b *testing.B) {
	w, whole := benchWorld(b)
	open := benchChanges()["policy"][0]
	config := tenantConfig(5000)
	config.Objects = append(append(config.Objects, guardObjects()...), open.Object)
	apart, err := New(config)
	require.NoError(b, err)
	before := w.Connectivity()
	for name, after := range map[string]*Connectivity{"of_one_world": w.With(open).Connectivity(), "of_worlds_apart": apart.Connectivity()} {
		b.Run(name, func(b *testing.B) {
			began, rounds := cpu(), 0
			for b.Loop() {
				require.NotEmpty(b, Diff(before, after).Gained)
				rounds++
			}
			each := (cpu() - began).Seconds() / float64(rounds)
			b.ReportMetric(each*1000, "cpu-ms")
			b.ReportMetric(each/whole.Seconds(), "of-whole")
		})
	}
}

// Small worlds through the engine and through the pairwise evaluator, which looks at a hundred of 65,536 ports. x-engine is
// how much longer it takes for those; extrapolated-s is what it would take for as many pairs as 5,000 tenants have.
func BenchmarkAgainstBruteForce(b *testing.B) {
	for _, tenants := range []int{5, 10, 20} {
		world := bruteTenants(tenants)
		config := Config{Objects: world.objects(), WholeWorld: true}
		var engine float64
		measured := func(b *testing.B, one func()) float64 {
			began, rounds := cpu(), 0
			for b.Loop() {
				one()
				rounds++
			}
			each := (cpu() - began).Seconds() / float64(rounds)
			b.ReportMetric(each*1000, "cpu-ms")
			return each
		}
		b.Run(fmt.Sprintf("engine/%d_tenants", tenants), func(b *testing.B) {
			engine = measured(b, func() {
				w, err := New(config)
				require.NoError(b, err)
				w.Connectivity().Report(false)
			})
		})
		b.Run(fmt.Sprintf("brute_force/%d_tenants", tenants), func(b *testing.B) {
			each := measured(b, world.everyPair)
			b.ReportMetric(each/engine, "x-engine")
			b.ReportMetric(each*float64(15000*15000)/float64(len(world.pods)*len(world.pods)), "extrapolated-s")
		})
	}
}

func (w *bruteWorld) everyPair() {
	for _, from := range w.pods {
		for _, to := range w.pods {
			for port := range 100 {
				w.allowed(bruteEnd{from, from.ip}, bruteEnd{to, to.ip}, brutePacket{"TCP", port})
			}
		}
	}
}

// bruteTenants is a world of tenants in the form of the brute-force evaluator: isolation and one allowance each.
func bruteTenants(tenants int) *bruteWorld {
	w := &bruteWorld{namespaces: map[string]map[string]string{}, version: "3.31"}
	is := func(app string) *bruteSelector {
		return &bruteSelector{kube: dict{"matchLabels": dict{"app": app}}, fn: func(l map[string]string) bool { return l["app"] == app }}
	}
	all := &bruteSelector{kube: dict{}, fn: func(map[string]string) bool { return true }}
	thousand := 1000.0
	for i := range tenants {
		ns := fmt.Sprintf("t%d", i)
		w.namespaces[ns] = nil
		for k, app := range []string{"manager", "postgres", "rabbitmq"} {
			w.pods = append(w.pods, &brutePod{namespace: ns, name: app, account: "default", labels: map[string]string{"app": app}, ip: netip.AddrFrom4([4]byte{10, 0, byte(i), byte(k)})})
		}
		both := []string{"Ingress", "Egress"}
		port := []bruteKubePort{{port: &brutePort{lo: 54, hi: 54}}}
		w.policies = append(w.policies,
			&brutePolicy{kind: "KNP", namespace: ns, name: "deny", tier: "default", order: &thousand, types: both, selector: all},
			&brutePolicy{kind: "KNP", namespace: ns, name: "out", tier: "default", order: &thousand, types: both, selector: is("manager"), kubeOut: []bruteKubeRule{{peers: []bruteKubePeer{{pods: is("postgres")}}, ports: port}}},
			&brutePolicy{kind: "KNP", namespace: ns, name: "in", tier: "default", order: &thousand, types: both, selector: is("postgres"), kubeIn: []bruteKubeRule{{peers: []bruteKubePeer{{pods: is("manager")}}, ports: port}}})
	}
	return w
}
