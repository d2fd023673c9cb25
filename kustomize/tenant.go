package kustomize

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/ringfence/ringfence/kustomize/kinds"
)

// Settings that a Tenant object of an overlay may make, as layout.tenantMay names them.
const (
	MayMode        = "mode"
	MaySuspend     = "suspend"
	MayAdoptExtras = "adoptExtras"
)

// Own are the settings of one tenant: what the Tenant object in its overlay says. The zero value is that of an overlay
// without one.
type Own struct {
	// Mode is "correct" or "report"; "" means the daemon's.
	Mode string
	// SuspendUntil is until when new revisions wait; zero if they do not.
	SuspendUntil time.Time
	// SuspendReason says why, for people.
	SuspendReason string
	// AdoptExtras: extra objects that stood before the first sync are treated as later ones are.
	AdoptExtras bool
}

// Within returns the settings without those that may no longer be made.
func (o Own) Within(may []string) Own {
	if !slices.Contains(may, MayMode) {
		o.Mode = ""
	}
	if !slices.Contains(may, MaySuspend) {
		o.SuspendUntil, o.SuspendReason = time.Time{}, ""
	}
	o.AdoptExtras = o.AdoptExtras && slices.Contains(may, MayAdoptExtras)
	return o
}

// Own returns the settings of the tenant itself.
func (t *Tenant) Own() Own {
	for _, o := range t.Settings {
		if isTenantSettings(o) {
			settings := tenantSettings{}
			if runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &settings) == nil { // it was checked
				return settings.own()
			}
		}
	}
	return Own{}
}

func isTenantSettings(o Object) bool {
	return o.Kind.Group == kinds.GroupRingfence && o.Kind.Kind == "Tenant"
}

func (s tenantSettings) own() Own {
	own := Own{Mode: s.Spec.Mode, SuspendReason: s.Spec.Suspend.Reason, AdoptExtras: s.Spec.AdoptExtras}
	if until, err := time.Parse(time.RFC3339, s.Spec.Suspend.Until); err == nil {
		own.SuspendUntil = until
	}
	return own
}

// tenant checks the settings that an overlay makes for itself.
func (j *judge) tenant(o Object, refuse refuseFunc) {
	var s tenantSettings
	if runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &s) != nil {
		return // form has said why
	}
	may := func(key string, made bool) {
		if made && !slices.Contains(j.cfg.TenantMay, key) {
			refuse(fieldPath{"spec", key}, &refused{
				fmt.Sprintf("layout.tenantMay does not allow overlays to set %s", key),
				"remove it, or name it in layout.tenantMay of ringfence.yaml",
			})
		}
	}
	suspended := s.Spec.Suspend.Until != "" || s.Spec.Suspend.Reason != ""
	may(MayMode, s.Spec.Mode != "")
	may(MaySuspend, suspended)
	may(MayAdoptExtras, s.Spec.AdoptExtras)
	if s.Spec.Mode != "" && s.Spec.Mode != "correct" && s.Spec.Mode != "report" {
		refuse(fieldPath{"spec", "mode"}, &refused{fmt.Sprintf("spec.mode is %q, and must be correct or report", s.Spec.Mode), ""})
	}
	if !suspended {
		return
	}
	if _, err := time.Parse(time.RFC3339, s.Spec.Suspend.Until); err != nil {
		refuse(fieldPath{"spec", "suspend", "until"}, &refused{
			fmt.Sprintf("spec.suspend.until is %q, which is no time", s.Spec.Suspend.Until), `write it as "2026-03-01T18:00:00Z" (RFC 3339), in quotes`,
		})
	}
	if s.Spec.Suspend.Reason == "" {
		refuse(fieldPath{"spec", "suspend"}, &refused{"spec.suspend has no reason", "say why, for whoever looks at it next"})
	}
}
