package telemetry

import (
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// The objects for the Prometheus operator are of the kinds that it says they are: no field is one that it does not know, and it
// would scrape the port of metrics, at an interval that it can read.
func TestOperatorObjects(t *testing.T) {
	const base = root + "/base/ringfence/"
	var pod monitoring.PodMonitor
	require.NoError(t, yaml.UnmarshalStrict(read(t, base+"pod-monitor/podmonitor.yaml"), &pod))
	assert.Equal(t, monitoring.PodMonitorsKind, pod.Kind)
	assert.Equal(t, monitoring.SchemeGroupVersion.String(), pod.APIVersion)
	require.Len(t, pod.Spec.PodMetricsEndpoints, 1)
	endpoint := pod.Spec.PodMetricsEndpoints[0]
	require.NotNil(t, endpoint.Port)
	assert.Equal(t, "metrics", *endpoint.Port)
	_, err := model.ParseDuration(string(endpoint.Interval))
	require.NoError(t, err)

	var service monitoring.ServiceMonitor
	require.NoError(t, yaml.UnmarshalStrict(read(t, base+"service-monitor/servicemonitor.yaml"), &service))
	assert.Equal(t, monitoring.ServiceMonitorsKind, service.Kind)
	assert.Equal(t, monitoring.SchemeGroupVersion.String(), service.APIVersion)
	require.Len(t, service.Spec.Endpoints, 1)
	assert.Equal(t, "metrics", service.Spec.Endpoints[0].Port)
	_, err = model.ParseDuration(string(service.Spec.Endpoints[0].Interval))
	require.NoError(t, err)
	assert.Equal(t, pod.Spec.Selector, service.Spec.Selector)

	var rules monitoring.PrometheusRule
	require.NoError(t, yaml.UnmarshalStrict(read(t, alerts+"/prometheusrule.yaml"), &rules))
	assert.Equal(t, monitoring.PrometheusRuleKind, rules.Kind)
	assert.NotEmpty(t, rules.Spec.Groups)
}
