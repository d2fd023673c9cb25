package sync

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/record"

	"github.com/ringfence/ringfence/drift"
)

// The reasons of Events (SPEC §6).
const (
	reasonSynced         = "Synced"
	reasonSyncFailed     = "SyncFailed"
	reasonDriftDetected  = "DriftDetected"
	reasonDriftCorrected = "DriftCorrected"
	reasonExtraPolicy    = "ExtraPolicy"
	reasonQuarantined    = "Quarantined"
)

// events writes Events about tenants into their namespaces, on their Namespace
// objects. Cluster-scoped matters are only logged: they have no namespace.
type events struct {
	cluster     *drift.Cluster
	broadcaster record.EventBroadcaster
	recorder    record.EventRecorder
}

func newEvents(c Config, cluster *drift.Cluster) *events {
	e := &events{cluster: cluster}
	if c.Mode == Observe {
		return e
	}
	e.broadcaster = record.NewBroadcaster()
	e.broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: c.Kube.CoreV1().Events("")})
	e.recorder = e.broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: c.manager()})
	return e
}

func (e *events) stop() {
	if e.broadcaster != nil {
		e.broadcaster.Shutdown()
	}
}

// about writes one Event. The namespace must exist; if it does not, there is
// nobody to read it.
func (e *events) about(tenant, kind, reason, message string) {
	if e.recorder == nil || tenant == clusterTenant {
		return
	}
	ns := e.cluster.Namespace(tenant)
	if ns == nil || ns.GetDeletionTimestamp() != nil {
		return
	}
	e.recorder.Event(&corev1.ObjectReference{
		APIVersion: "v1", Kind: "Namespace", Name: tenant, Namespace: tenant, UID: ns.GetUID(),
	}, kind, reason, clip(message))
}

func (e *events) synced(t *target, changes int) {
	e.about(t.name, corev1.EventTypeNormal, reasonSynced, fmt.Sprintf("revision %s applied, %d objects changed", short(t.revision), changes))
}

func (e *events) failed(name, message string) {
	e.about(name, corev1.EventTypeWarning, reasonSyncFailed, message)
}

func (e *events) refused(t *target) {
	lines := make([]string, len(t.problems))
	for i, p := range t.problems {
		lines[i] = p.Error()
	}
	e.failed(t.name, strings.Join(lines, "\n"))
}

func (e *events) quarantined(t *target) {
	e.about(t.name, corev1.EventTypeWarning, reasonQuarantined, "its overlay "+t.overlay+" left Git: the namespace is held at deny-all until it is gone")
}

// clip cuts a message to what an Event may hold (1,024 bytes).
func clip(message string) string {
	const limit = 1024
	if len(message) <= limit {
		return message
	}
	return strings.ToValidUTF8(message[:limit-3], "") + "..."
}

// detected tells about a difference that is new.
func (e *Engine) detected(d *drift.Entry) {
	reason, message := reasonDriftDetected, string(d.Type)+": "+d.ID.String()
	if d.Type == drift.Extra {
		reason, message = reasonExtraPolicy, "not in Git: "+d.ID.String()
	}
	names := make([]string, 0, len(d.Writers))
	for _, w := range d.Writers {
		names = append(names, w.Name)
	}
	attrs := []any{"tenant", d.Tenant, "object", d.ID.String(), "type", string(d.Type)}
	if len(d.Fields) > 0 {
		message += " (" + paths(d.Fields) + ")"
		attrs = append(attrs, "fields", paths(d.Fields))
	}
	if len(names) > 0 {
		message += " by " + strings.Join(names, ", ")
		attrs = append(attrs, "managers", strings.Join(names, ","))
	}
	e.config.Log.Warn("drift detected", attrs...)
	e.events.about(d.Tenant, corev1.EventTypeWarning, reason, message)
}

// correctedOne tells that a difference was undone.
func (e *Engine) correctedOne(tenant string, d drift.Difference) {
	e.config.Log.Info("drift corrected", "tenant", tenant, "object", d.ID.String(), "type", string(d.Type))
	e.events.about(tenant, corev1.EventTypeNormal, reasonDriftCorrected, string(d.Type)+": "+d.ID.String())
}
