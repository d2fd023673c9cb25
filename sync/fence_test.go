package sync

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// What changes nothing passes; all else only under a grant, and no longer than it
// lasts.
func TestFence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fence := NewFence()
		var deadline time.Time
		send := func(method, path string, during func(context.Context)) error {
			r := httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody)
			answer, err := fence.Wrap(transport(func(r *http.Request) (*http.Response, error) {
				deadline, _ = r.Context().Deadline()
				if during != nil {
					during(r.Context())
				}
				return &http.Response{Body: http.NoBody}, r.Context().Err()
			})).RoundTrip(r)
			if err == nil {
				require.NoError(t, answer.Body.Close())
			}
			return err
		}
		const object = "/apis/networking.k8s.io/v1/namespaces/a/networkpolicies/b"
		for _, tt := range []struct{ method, path string }{
			{http.MethodGet, object},
			{http.MethodPatch, object + "?dryRun=All"},
			{http.MethodPost, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"},
		} {
			require.NoError(t, send(tt.method, tt.path, nil), tt.method)
			assert.Zero(t, deadline)
		}
		for _, method := range []string{http.MethodPatch, http.MethodPut, http.MethodPost, http.MethodDelete} {
			require.ErrorIs(t, send(method, object, nil), errNotLeader, method)
		}

		g := newGrant()
		fence.current.Store(g)
		require.ErrorIs(t, send(http.MethodPut, object, nil), errNotLeader, "nothing is granted yet")
		g = newGrant()
		fence.current.Store(g)
		g.extend(time.Now().Add(time.Second))
		require.NoError(t, send(http.MethodPut, object, nil))
		assert.Equal(t, time.Now().Add(time.Second), deadline)
		time.Sleep(600 * time.Millisecond)
		g.extend(time.Now().Add(time.Second))
		time.Sleep(600 * time.Millisecond)
		require.NoError(t, send(http.MethodPut, object, nil), "it was extended")
		require.Error(t, send(http.MethodPut, object, func(ctx context.Context) { <-ctx.Done() }), "it must not outlast the grant")
		require.ErrorIs(t, send(http.MethodPut, object, nil), errNotLeader)
		<-g.done
		g.extend(time.Now().Add(time.Second))
		require.ErrorIs(t, send(http.MethodPut, object, nil), errNotLeader, "what is over stays so")

		g = newGrant()
		fence.current.Store(g)
		g.extend(time.Now().Add(time.Second))
		err := send(http.MethodPut, object, func(ctx context.Context) { g.end(); <-ctx.Done() })
		require.ErrorIs(t, err, context.Canceled, "what is under way ends with the grant")
		assert.Zero(t, time.Until(deadline)-time.Second)
	})
}

// A machine that slept knows it by one of its clocks.
func TestGrantClocks(t *testing.T) {
	g := newGrant()
	g.until = time.Now().Add(time.Hour)
	assert.False(t, g.past(time.Now()))
	assert.True(t, g.past(time.Now().Add(2*time.Hour)))
	assert.True(t, g.past(time.Now().Add(2*time.Hour).Round(0)), "the wall clock alone")
	assert.False(t, (*grant)(nil).over(), "without a lease nothing ends")
}
