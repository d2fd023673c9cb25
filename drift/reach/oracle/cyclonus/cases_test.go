package cyclonus

import (
	"reflect"
	"strings"
	"testing"

	"github.com/mattfenwick/cyclonus/pkg/connectivity"
	"github.com/mattfenwick/cyclonus/pkg/connectivity/probe"
	"github.com/mattfenwick/cyclonus/pkg/generator"
	"github.com/mattfenwick/cyclonus/pkg/matcher"
	"github.com/ringfence/ringfence/drift/reach"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Every verdict of every step of every case is that of Cyclonus' matcher.
func TestCases(t *testing.T) {
	excepted, err := newState(t).Resources.GetPod("z", "c") // whose address some cases except
	require.NoError(t, err)
	cases := generator.NewTestCaseGenerator(true, excepted.IP, namespaces(), nil, nil).GenerateAllTestCases()
	steps, verdicts, allowed := 0, 0, 0
	for _, c := range cases {
		w := newWorld(t)
		for i, step := range c.Steps {
			for _, action := range step.Actions {
				require.NoError(t, apply(w.state, action))
			}
			w.update(t)
			n, yes := w.compare(t)
			steps, verdicts, allowed = steps+1, verdicts+n, allowed+yes
			require.False(t, t.Failed(), "case %q, step %d", c.Description, i)
		}
	}
	assert.Len(t, cases, 230)
	assert.Equal(t, 256, steps)
	assert.Equal(t, 124_884, verdicts)
	assert.Greater(t, allowed, 20_000, "both answers occur")
	assert.Less(t, allowed, 104_884, "both answers occur")
}

// world is the state of a case, and a World that follows it by changes.
type world struct {
	state   *connectivity.TestCaseState
	objects map[string]reach.Object
	world   *reach.World
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{state: newState(t)}
	w.objects = objectsOf(t, w.state)
	config := reach.Config{WholeWorld: true}
	for _, o := range w.objects {
		config.Objects = append(config.Objects, o)
	}
	var err error
	w.world, err = reach.New(config)
	require.NoError(t, err)
	return w
}

// update tells the World what has changed.
func (w *world) update(t *testing.T) {
	t.Helper()
	now := objectsOf(t, w.state)
	var changes []reach.Change
	for key, o := range w.objects {
		if _, ok := now[key]; !ok {
			changes = append(changes, reach.Change{Object: o, Removed: true})
		}
	}
	for key, o := range now {
		if !reflect.DeepEqual(w.objects[key], o) {
			changes = append(changes, reach.Change{Object: o})
		}
	}
	w.world.Apply(changes...)
	w.objects = now
	require.Empty(t, w.world.Problems())
}

// compare asks about every two pods on every port that they serve.
func (w *world) compare(t *testing.T) (verdicts, allowed int) {
	t.Helper()
	policy := matcher.BuildNetworkPolicies(true, w.state.Policies)
	report := w.world.Connectivity().Report(true)
	require.Empty(t, report.Unknown)
	listed := map[[2]reach.Place][]reach.PortRow{}
	for _, c := range report.Connections {
		listed[[2]reach.Place{c.From, c.To}] = c.Ports
	}
	for _, job := range jobs(w) {
		want := policy.IsTrafficAllowed(job.Traffic()).IsAllowed()
		to := strings.TrimPrefix(job.ToKey, job.ToNamespace+"/")
		if job.ToKey == job.FromKey {
			to += twin
		}
		port := uint16(job.ResolvedPort)
		ports, err := reach.PortRange(string(job.Protocol), port, port)
		require.NoError(t, err)
		verdict, err := w.world.Decide(reach.PodPeer(job.FromNamespace, job.FromPod), reach.PodPeer(job.ToNamespace, to), ports)
		require.NoError(t, err)
		outcome := map[bool]reach.Outcome{true: reach.Allowed, false: reach.Denied}[want]
		assert.Equal(t, outcome, verdict.Outcome, "%s -> %s %s\n%v", job.FromKey, job.ToKey, ports, verdict.Reasons)
		rows := listed[[2]reach.Place{{Namespace: job.FromNamespace, Workload: job.FromPod}, {Namespace: job.ToNamespace, Workload: to}}]
		assert.Equal(t, want, holds(rows, string(job.Protocol), port), "%s -> %s %s in the whole connectivity", job.FromKey, job.ToKey, ports)
		if verdicts++; want {
			allowed++
		}
	}
	return verdicts, allowed
}

func jobs(w *world) []*probe.Job {
	builder := &probe.JobBuilder{}
	return builder.GetJobsAllAvailableServers(w.state.Resources, generator.ProbeModeServiceName).Valid
}

func holds(rows []reach.PortRow, protocol string, port uint16) bool {
	for _, r := range rows {
		if r.Protocol == "*" || (r.Protocol == protocol && (r.From == nil || (*r.From <= port && port <= *r.To))) {
			return true
		}
	}
	return false
}

// A pod that reaches itself by its own address never leaves its network, so no policy judges it: drift/reach is right
// (network-policy-api, site-src/api-overview.md; Calico's rules stand on the host's end of the pod's interface). Cyclonus
// means a connection through a Service, which does leave, and says what the policies say.
func TestPodReachesItself(t *testing.T) {
	w := newWorld(t)
	deny := generator.NewTestCaseGenerator(false, "192.168.1.9", namespaces(), []string{generator.TagDenyAll}, nil).GenerateTestCases()
	require.NotEmpty(t, deny)
	for _, action := range deny[0].Steps[0].Actions {
		require.NoError(t, apply(w.state, action))
	}
	w.update(t)
	policy := matcher.BuildNetworkPolicies(true, w.state.Policies)
	judged := 0
	for _, job := range jobs(w) {
		if job.FromKey != job.ToKey || policy.IsTrafficAllowed(job.Traffic()).IsAllowed() {
			continue
		}
		judged++
		self := reach.PodPeer(job.FromNamespace, job.FromPod)
		verdict, err := w.world.Decide(self, self, reach.AllPorts())
		require.NoError(t, err)
		assert.Equal(t, reach.Allowed, verdict.Outcome)
		double, err := w.world.Decide(self, reach.PodPeer(job.FromNamespace, job.FromPod+twin), reach.AllPorts())
		require.NoError(t, err)
		assert.Equal(t, reach.Denied, double.Outcome)
	}
	assert.NotZero(t, judged, "the case denies a pod its own Service")
}
