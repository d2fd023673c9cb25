package sync

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/flowcontrol"

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
	reasonBreakGlass     = "BreakGlass" // this and the next are beyond SPEC §6
	reasonReleased       = "Released"
	reasonTakenOver      = "TakenOver"
	reasonUnfenced       = "Unfenced"
)

// events writes Events about tenants into their namespaces, on their Namespace
// objects. Cluster-scoped matters are only logged: they have no namespace.
//
// What goes well is told at leisure, on a channel of its own: thousands of
// tenants that are synced for the first time must neither slow the sync nor
// crowd out what goes wrong.
type events struct {
	cluster      *drift.Cluster
	urgent, calm record.EventRecorder
	// stop ends the writing; Events that wait are lost.
	stop context.CancelFunc
}

// Events of what goes well are written at this rate, in Events per second, after
// a burst.
const (
	calmRate  = 20
	calmBurst = 10
)

func newEvents(c Config, cluster *drift.Cluster) *events {
	ctx, stop := context.WithCancel(context.Background())
	e := &events{cluster: cluster, stop: stop}
	if c.Mode == Observe {
		return e
	}
	sink := ownSink{EventSink: &typedcorev1.EventSinkImpl{Interface: c.Kube.CoreV1().Events("")}, refused: &grantWarning{warn: func(err error) {
		c.Log.Warn("events may not be written", "err", err)
	}}}
	recorder := func(sink record.EventSink) record.EventRecorder {
		b := record.NewBroadcaster(record.WithContext(ctx))
		b.StartRecordingToSink(sink)
		return b.NewRecorder(scheme.Scheme, corev1.EventSource{Component: c.manager()})
	}
	e.urgent = recorder(sink)
	e.calm = recorder(&calmSink{EventSink: sink, stopped: ctx.Done(), limit: flowcontrol.NewTokenBucketRateLimiter(calmRate, calmBurst)})
	return e
}

// mute makes it write nothing.
func (e *events) mute() { e.urgent, e.calm = nil, nil }

// ownSink counts an Event up only as it was last seen, and gives up what is not
// to be written any more.
type ownSink struct {
	record.EventSink
	refused *grantWarning
}

// Create implements record.EventSink.
func (s ownSink) Create(event *corev1.Event) (*corev1.Event, error) {
	answer, err := s.EventSink.Create(event)
	s.refused.about(err)
	return answer, final(err)
}

// Patch implements record.EventSink.
func (s ownSink) Patch(event *corev1.Event, patch []byte) (*corev1.Event, error) {
	var body map[string]any
	if err := json.Unmarshal(patch, &body); err != nil {
		return nil, err
	}
	meta, _ := body["metadata"].(map[string]any)
	if meta == nil {
		meta = map[string]any{}
	}
	meta["resourceVersion"] = event.ResourceVersion
	body["metadata"] = meta
	patch, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	answer, err := s.EventSink.Patch(event, patch)
	s.refused.about(err)
	return answer, final(err)
}

// final makes an answer of the fence one after which the recorder does not try again.
func final(err error) error {
	if errors.Is(err, errNotLeader) {
		return apierrors.NewForbidden(corev1.Resource("events"), "", err)
	}
	return err
}

// calmSink makes new Events at a bounded rate.
type calmSink struct {
	record.EventSink
	stopped <-chan struct{}
	limit   flowcontrol.RateLimiter
}

// Create implements record.EventSink.
func (s *calmSink) Create(event *corev1.Event) (*corev1.Event, error) {
	for !s.limit.TryAccept() {
		select {
		case <-s.stopped:
			return nil, context.Canceled
		case <-time.After(time.Second / calmRate):
		}
	}
	return s.EventSink.Create(event)
}

// about writes one Event. The namespace must exist; if it does not, there is
// nobody to read it.
func (e *events) about(tenant, kind, reason, message string) {
	recorder := e.urgent
	if reason == reasonSynced {
		recorder = e.calm
	}
	if recorder == nil || tenant == clusterTenant {
		return
	}
	ns := e.cluster.Namespace(tenant)
	if ns == nil || ns.GetDeletionTimestamp() != nil {
		return
	}
	recorder.Event(&corev1.ObjectReference{
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
	e.about(t.name, corev1.EventTypeWarning, reasonQuarantined, "its overlay "+t.overlay+" left Git: the namespace is held at deny-all until it is gone, or an Offboarding in the cluster overlay lets it go")
}

func (e *events) released(t *target) {
	e.about(t.name, corev1.EventTypeWarning, reasonReleased, fmt.Sprintf("Git lets the namespace go (%s:%d, %s): nothing isolates it any more", t.released.Origin.File, t.released.Origin.Line, t.released.Reason))
}

func (e *events) unfenced(namespace string) {
	e.about(namespace, corev1.EventTypeWarning, reasonUnfenced, "the repository expects this namespace to be fenced, and no overlay fences it")
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
	if e.standby { // the leader tells
		return
	}
	reason, message := reasonDriftDetected, string(d.Type)+": "+d.ID.String()
	if d.Type == drift.Extra {
		reason, message = reasonExtraPolicy, "not in Git: "+d.ID.String()
	}
	if d.Type == drift.Missing && e.config.Mode != Observe {
		message += " was deleted" // by whom, no object says any more
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
	attrs = append(attrs, "effect", string(d.Effect))
	if words := d.Exposure.Words(); words != "" {
		message += "; " + words
		attrs = append(attrs, "exposure", words)
	}
	if d.Held == drift.Fight {
		message += "; it is being fought over, and its correction waits"
	}
	if d.Held != drift.NotHeld {
		attrs = append(attrs, "held", string(d.Held))
	}
	e.config.Log.Warn("drift detected", attrs...)
	e.events.about(d.Tenant, corev1.EventTypeWarning, reason, message)
}

// fought tells about an object that somebody keeps changing back.
func (e *Engine) fought(tenant string, d drift.Difference, corrections int, pause time.Duration) {
	names := make([]string, 0, len(d.Writers))
	for _, w := range d.Writers {
		if w.Name != e.config.manager() {
			names = append(names, w.Name)
		}
	}
	other := strings.Join(names, ", ")
	if other == "" {
		other = "somebody"
	}
	e.config.Log.Warn("an object is being fought over", "tenant", tenant, "object", d.ID.String(), "managers", e.config.manager()+","+other, "count", corrections, "pause", pause)
	e.events.about(tenant, corev1.EventTypeWarning, reasonDriftDetected,
		fmt.Sprintf("%s and %s fight over %s: corrected %d times in a row, the next correction waits %s (hint: find out why %s writes it)", e.config.manager(), other, d.ID, corrections, pause, other))
}

// correctedOne tells that a difference was undone.
func (e *Engine) correctedOne(tenant string, d drift.Difference) {
	e.config.Log.Info("drift corrected", "tenant", tenant, "object", d.ID.String(), "type", string(d.Type))
	e.events.about(tenant, corev1.EventTypeNormal, reasonDriftCorrected, string(d.Type)+": "+d.ID.String())
}
