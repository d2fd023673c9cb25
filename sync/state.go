package sync

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/permissions"
)

// StateName is the ConfigMap that holds the state, one key per instance.
const StateName = permissions.StateName

// StateKey is the key of an instance's state.
func StateKey(instance string) string { return instance + ".json" }

// state is all that must survive a restart; the rest is rebuilt from Git and
// the cluster.
type state struct {
	// Applied is the commit that was last applied to every tenant, but for the
	// exceptions in Tenants.
	Applied string `json:"applied,omitempty"`
	// Pending are commits whose application began and did not end.
	Pending []string `json:"pending,omitempty"`
	// Adopted is the one of Pending that is to be applied; "" means that it is Applied.
	Adopted string `json:"adopted,omitempty"`
	// Owners are the overlays by the namespaces that they own; kept only where
	// overlays are refused at Applied, since it shows who owns what otherwise.
	Owners map[string]string `json:"owners,omitempty"`
	// Tenants are the exceptions, by name ("" is the cluster overlay).
	Tenants map[string]exception `json:"tenants,omitempty"`
	// Since is since when differences stand that have stood for a while, by the
	// ledger's key; at most sinceMost of them, the oldest, and fewer where the whole
	// would be longer than stateMost.
	Since map[string]time.Time `json:"since,omitempty"`
	// Openings are the times for which glass was broken lately, by tenant.
	Openings map[string][]opening `json:"breakGlass,omitempty"`
	// Held are the removals that are held, and wait for a commit that confirms them.
	Held []pruneHold `json:"held,omitempty"`
	// Removed is what was removed within the last hour.
	Removed *pruneHistory `json:"removed,omitempty"`
	// Stood are the tenants whose namespaces were there before their first sync, sorted.
	Stood []string `json:"stood,omitempty"`
}

// exception is what is not as Applied says about one tenant.
type exception struct {
	// Revision is the last one that was applied to the tenant; "" if none was.
	Revision string `json:"revision"`
	// Refused: the API server would refuse what Applied says of the tenant, and nothing of it was written.
	Refused bool `json:"refused,omitempty"`
	// Quarantined is since when the tenant's overlay is gone from Git; Revision
	// is then the last one that had it.
	Quarantined *time.Time `json:"quarantined,omitempty"`
}

// commits returns every commit whose objects may be in the cluster.
func (s *state) commits() []string {
	seen := map[string]bool{}
	var out []string
	add := func(commit string) {
		if commit != "" && !seen[commit] {
			seen[commit] = true
			out = append(out, commit)
		}
	}
	add(s.Applied)
	for _, commit := range s.Pending {
		add(commit)
	}
	for _, e := range s.Tenants {
		add(e.Revision)
	}
	return out
}

// stateStore reads and writes the state. One goroutine uses it.
type stateStore struct {
	kube      Kube
	namespace string
	instance  string
	manager   string
	grant     *grant // nil without a lease

	saved state
	// texts are what the key may hold: as it was read, and as we wrote it or tried to.
	texts map[string]bool
	known *corev1.ConfigMap // as last read or written; nil: not known
}

func (s *stateStore) key() string { return StateKey(s.instance) }

// load reads the state; an absent one is empty. A state that cannot be read is
// an error: going on would forget what must be removed.
func (s *stateStore) load(ctx context.Context) (state, error) {
	cm, err := s.kube.CoreV1().ConfigMaps(s.namespace).Get(ctx, StateName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return state{}, nil
	}
	if err != nil {
		return state{}, fmt.Errorf("reading ConfigMap %s/%s: %w", s.namespace, StateName, drift.WithGrant(err))
	}
	var st state
	s.expect(cm.Data[s.key()])
	if text := cm.Data[s.key()]; text != "" {
		if err := json.Unmarshal([]byte(text), &st); err != nil {
			return state{}, fmt.Errorf("reading ConfigMap %s/%s: key %s is not what Ringfence wrote: %w (hint: mend it, or delete the key; what left Git since is then not removed)",
				s.namespace, StateName, s.key(), err)
		}
	}
	s.saved, s.known = st, cm
	return st, nil
}

// errOverruled says that another process has written the state since this one has
// read it. This one's term is over: whoever leads next reads it anew.
var errOverruled = errors.New("another process has written the state")

// expect notes what the key may hold.
func (s *stateStore) expect(text string) {
	if s.texts == nil {
		s.texts = map[string]bool{}
	}
	s.texts[text] = true
}

// save writes the state if it differs from what was last read or written: one
// request, unless another instance wrote in between.
func (s *stateStore) save(ctx context.Context, st state) error {
	if reflect.DeepEqual(normal(s.saved), normal(st)) {
		return nil
	}
	st, text, err := fitted(st, stateMost)
	if err != nil {
		return err
	}
	if reflect.DeepEqual(normal(s.saved), normal(st)) {
		return nil
	}
	for range writeTries {
		if err = s.put(ctx, string(text)); err == nil {
			s.saved, s.texts = st, map[string]bool{string(text): true}
			return nil
		}
		if errors.Is(err, errOverruled) {
			s.grant.end()
			break
		}
		s.known = nil
		if !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) && !apierrors.IsNotFound(err) {
			break
		}
	}
	return fmt.Errorf("saving ConfigMap %s/%s: %w", s.namespace, StateName, drift.WithGrant(err))
}

// fitted returns a state, and its text, that leaves out as much of Since, and then
// of Held, as it must to be no longer than limit. What is left is written even
// if it is longer: the API server shall say so.
func fitted(st state, limit int) (state, []byte, error) {
	for {
		text, err := json.Marshal(st)
		switch {
		case err != nil || len(text) <= limit:
			return st, text, err
		case len(st.Since) > 0:
			st.Since = oldest(st.Since, len(st.Since)/2)
		case len(st.Held) > 0: // the newest is held anew at the next start
			st.Held = st.Held[1:]
		default:
			return st, text, err
		}
	}
}

func (s *stateStore) put(ctx context.Context, text string) error {
	maps := s.kube.CoreV1().ConfigMaps(s.namespace)
	if s.known == nil {
		known, err := maps.Get(ctx, StateName, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return s.create(ctx, text)
		}
		if err != nil {
			return err
		}
		if held := known.Data[s.key()]; s.grant != nil && held != "" && !s.texts[held] {
			return errOverruled
		}
		s.known = known
	}
	s.expect(text)
	cm := s.known.DeepCopy()
	if cm.Data == nil {
		cm.Data = map[string]string{}
	}
	cm.Data[s.key()] = text
	known, err := maps.Update(ctx, cm, metav1.UpdateOptions{FieldManager: s.manager})
	if err == nil {
		s.known = known
	}
	return err
}

// create makes the ConfigMap, and Ringfence's namespace if need be.
func (s *stateStore) create(ctx context.Context, text string) error {
	cm := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: StateName, Namespace: s.namespace},
		Data:       map[string]string{s.key(): text},
	}
	s.expect(text)
	maps := s.kube.CoreV1().ConfigMaps(s.namespace)
	known, err := maps.Create(ctx, cm, metav1.CreateOptions{FieldManager: s.manager})
	if apierrors.IsNotFound(err) {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.namespace}}
		if _, err := s.kube.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{FieldManager: s.manager}); err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
		known, err = maps.Create(ctx, cm, metav1.CreateOptions{FieldManager: s.manager})
	}
	if err == nil {
		s.known = known
	}
	return err
}

// normal returns st with empty collections as nil, for comparison.
func normal(st state) state {
	if len(st.Pending) == 0 {
		st.Pending = nil
	}
	if len(st.Tenants) == 0 {
		st.Tenants = nil
	}
	if len(st.Owners) == 0 {
		st.Owners = nil
	}
	if len(st.Since) == 0 {
		st.Since = nil
	}
	if len(st.Openings) == 0 {
		st.Openings = nil
	}
	if len(st.Stood) == 0 {
		st.Stood = nil
	}
	if len(st.Held) == 0 {
		st.Held = nil
	}
	return st
}
