package reach

import (
	"fmt"
	"net/netip"
	"runtime"
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

func BenchmarkConnectivity(b *testing.B) {
	for _, tenants := range []int{100, 1000, 5000} {
		config := tenantConfig(tenants)
		b.Run(fmt.Sprintf("%d_tenants", tenants), func(b *testing.B) {
			for b.Loop() {
				var before, after runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				start := time.Now()
				w, err := New(config)
				require.NoError(b, err)
				read := time.Since(start)
				c := w.Connectivity()
				whole := time.Since(start)
				report := c.Report(false)
				runtime.GC()
				runtime.ReadMemStats(&after)
				b.ReportMetric(read.Seconds(), "read-s")
				b.ReportMetric((whole - read).Seconds(), "compute-s")
				b.ReportMetric((time.Since(start) - whole).Seconds(), "report-s")
				b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "live-MB")
				b.ReportMetric(float64(len(report.Connections)), "connections")
				runtime.KeepAlive(w)
			}
		})
	}
}

func BenchmarkOneChangedPolicy(b *testing.B) {
	for _, tenants := range []int{100, 1000, 5000} {
		w, err := New(tenantConfig(tenants))
		require.NoError(b, err)
		w.Connectivity()
		open := Object{Content: dict{
			"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": dict{"namespace": "caas-00042", "name": "open"},
			"spec": dict{"podSelector": dict{}, "policyTypes": []any{"Ingress", "Egress"}, "ingress": []any{dict{}}, "egress": []any{dict{}}},
		}}
		removed := false
		b.Run(fmt.Sprintf("%d_tenants", tenants), func(b *testing.B) {
			for b.Loop() {
				w.Apply(Change{Object: open, Removed: removed})
				removed = !removed
			}
		})
	}
}

// A small world through the engine and through the pairwise evaluator; the ratio of the two is the gain.
func BenchmarkAgainstBruteForce(b *testing.B) {
	world := bruteTenants(20)
	b.Run("engine", func(b *testing.B) {
		config := Config{Objects: world.objects(), WholeWorld: true}
		for b.Loop() {
			w, err := New(config)
			require.NoError(b, err)
			w.Connectivity().Report(false)
		}
	})
	b.Run("brute_force", func(b *testing.B) {
		for b.Loop() {
			for _, from := range world.pods {
				for _, to := range world.pods {
					for port := range 100 {
						world.allowed(bruteEnd{from, from.ip}, bruteEnd{to, to.ip}, brutePacket{"TCP", port})
					}
				}
			}
		}
	})
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
