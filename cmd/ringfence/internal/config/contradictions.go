package config

import (
	"reflect"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/config/strict"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// contradictions reports what no key has alone. given says which keys count:
// those of the defaults must not contradict a daemon's pins, for ringfence.yaml may
// set them otherwise.
func (r *Repository) contradictions(add func(key string, err error), given func(key string) bool) {
	if r.Layout.Guard == r.Layout.Cluster && r.Layout.Guard != "" && given("layout.guard") && given("layout.cluster") {
		add("layout.guard", strict.Invalidf("give the guard a folder of its own", "is the same folder as layout.cluster, %q", r.Layout.Cluster))
	}
	for _, key := range strict.Keys(&r.Limits) {
		value, _ := strict.Get(&r.Limits, key)
		if reflect.ValueOf(value).IsZero() && given("limits."+key) {
			add("limits."+key, strict.Invalidf("a negative value means no limit", "0 would refuse everything"))
		}
	}
	for i, rule := range r.Drift.Ignore {
		if err := rule.never(); err != nil && given("drift.ignore") {
			add(indexed("drift.ignore", i), err)
		}
	}
	if given("lint.disable") && given("lint.severity") {
		for i, rule := range r.Lint.Disable {
			if _, ok := r.Lint.Severity[rule]; ok {
				add(indexed("lint.disable", i), strict.Invalidf("remove one of them", "lint.severity gives the disabled rule %q a severity", rule))
			}
		}
	}
}

// never says why the rule can never match; nil if it can.
func (i Ignore) never() error {
	if i.Kind == "" {
		return nil // the decoder has found it missing
	}
	kind, ok := kinds.Find(schema.GroupKind{Group: i.Group, Kind: i.Kind})
	switch {
	case !ok && i.Group == "":
		return strict.Invalidf("give its group, such as networking.k8s.io or projectcalico.org", "no kind %s is guarded in the core group", i.Kind)
	case !ok:
		return strict.Invalidf("only guarded kinds and Namespace can differ", "no kind %s is guarded in the group %s", i.Kind, i.Group)
	case kind.Namespaced && i.Namespace == "":
		return strict.Invalidf(`give a namespace; "*" is every one`, "%s is in namespaces, and none is given", i.Kind)
	case !kind.Namespaced && i.Namespace != "":
		return strict.Invalidf("remove the namespace", "%s is not in a namespace", i.Kind)
	case kind == kinds.Namespace && i.SpecHash != "":
		return strict.Invalidf("remove specHash", "what matters of a Namespace are its labels, and they have no hash")
	}
	return nil
}

// short moves the keys at the top level to where they belong.
func (d *Daemon) short(alias short) {
	if !d.doc.Given("listen") {
		return
	}
	if d.doc.Given("http.listen") {
		d.doc.Add("listen", strict.Invalidf("remove one of them", "is short for http.listen, which is given in line %d", d.doc.At("http.listen").Line))
		return
	}
	if alias.Listen != "" { // otherwise the decoder has found it wrong
		d.HTTP.Listen = alias.Listen
	}
}

// ref makes sure that exactly one key of source.ref is set.
func (d *Daemon) ref() {
	if !d.doc.Given("source.ref") {
		return
	}
	var given []string
	for _, key := range strict.Keys(&Ref{}) {
		if d.doc.Given("source.ref." + key) {
			given = append(given, key)
		}
	}
	if len(given) != 1 {
		d.doc.Add("source.ref", strict.Invalidf("exactly one of branch, tag, semver, commit", "%s given", countOf(given)))
	}
	if !d.doc.Given("source.ref.branch") {
		d.Source.Ref.Branch = ""
	}
}

func countOf(given []string) string {
	switch len(given) {
	case 0:
		return "nothing is"
	case 1:
		return given[0] + " is"
	}
	return strings.Join(given[:len(given)-1], ", ") + " and " + given[len(given)-1] + " are"
}

// contradictions reports what no key has alone.
func (d *Daemon) contradictions() {
	d.sourceContradictions()
	d.authContradictions()
	d.listenContradictions()
	if d.Drift.BreakGlass.MaxDuration > 24*time.Hour {
		d.doc.Add("drift.breakGlass.maxDuration", strict.Invalidf("it is counted within 24 hours", "must be at most 24h, not %s", d.Drift.BreakGlass.MaxDuration))
	}
	if d.Sync.QPS == 0 {
		d.doc.Add("sync.qps", strict.Invalidf("a number above 0, or -1 for no bound", "0 would allow no request at all"))
	}
	d.freezeContradictions()
	s := d.Source.Verify
	if s.Mode == "none" && (len(s.Signers) > 0 || s.TrustFrom != "") {
		d.doc.Add("source.verify", strict.Invalidf("set mode to head or range, or remove them", "signers or trustFrom are given, but mode is none"))
	}
	for i, signer := range s.Signers {
		if (signer.OpenPGPFile == "") == (signer.SSHAllowedSignersFile == "") {
			d.doc.Add(indexed("source.verify.signers", i), strict.Invalidf("", "exactly one of openpgpFile and sshAllowedSignersFile is needed"))
		}
	}
}

// sourceContradictions reports the keys that mean nothing for the URL's scheme.
func (d *Daemon) sourceContradictions() {
	scheme, _, _ := strings.Cut(d.Source.URL, "://")
	scheme = strings.ToLower(scheme)
	if scheme == "" || d.Source.URL == "" {
		return
	}
	for _, rule := range []struct {
		keys    []string
		schemes string
	}{
		{[]string{"source.auth.username", "source.auth.passwordFile"}, "http https ssh"},
		{[]string{"source.auth.tokenFile"}, "http https"},
		{[]string{"source.auth.sshKeyFile", "source.auth.sshKeyPassphraseFile", "source.auth.knownHostsFile"}, "ssh"},
		{[]string{"source.tls.caFile", "source.tls.certFile", "source.tls.keyFile"}, "https"},
		{[]string{"source.proxy"}, "http https"},
	} {
		for _, key := range rule.keys {
			if d.set(key) && !strings.Contains(" "+rule.schemes+" ", " "+scheme+" ") {
				allowed := strings.ReplaceAll(rule.schemes, " ", ", ")
				d.doc.Add(key, strict.Invalidf("for "+allowed+" only", "means nothing with the scheme of source.url, %s", scheme))
			}
		}
	}
}

func (d *Daemon) authContradictions() {
	a := d.Source.Auth
	if a.PasswordFile != "" && a.TokenFile != "" {
		d.doc.Add("source.auth.tokenFile", strict.Invalidf("give one of them", "contradicts source.auth.passwordFile"))
	}
	if a.PasswordFile != "" && a.Username == "" && strings.HasPrefix(d.Source.URL, "http") {
		d.doc.Add("source.auth.passwordFile", strict.Invalidf("give source.auth.username too, or use tokenFile", "a password needs a user name"))
	}
	if a.SSHKeyPassphraseFile != "" && a.SSHKeyFile == "" {
		d.doc.Add("source.auth.sshKeyPassphraseFile", strict.Invalidf("give source.auth.sshKeyFile too", "there is no key that it could be for"))
	}
	if t := d.Source.TLS; (t.CertFile == "") != (t.KeyFile == "") {
		d.doc.Add("source.tls", strict.Invalidf("", "certFile and keyFile are needed together"))
	}
}

// listenContradictions reports addresses that two servers would share, and one that would have nothing to serve.
func (d *Daemon) listenContradictions() {
	if d.HTTP.HookListen != "" && d.HTTP.HookSecretFile == "" {
		d.doc.Add("http.hookListen", strict.Invalidf("give http.hookSecretFile too", "nothing would be served there: hooks need a secret"))
	}
	keys := []string{"http.listen", "http.metricsListen", "http.hookListen"}
	for i, key := range keys {
		for _, other := range keys[:i] {
			a, _ := strict.Get(d, key)
			b, _ := strict.Get(d, other)
			if address, ok := a.(string); ok && address != "" && a == b && !strings.HasSuffix(address, ":0") {
				d.doc.Add(key, strict.Invalidf("leave it out to serve both there", "is the same address as %s, %s", other, address))
			}
		}
	}
}

// set reports whether a key of the daemon holds a string that is not empty.
func (d *Daemon) set(key string) bool {
	v, ok := strict.Get(d, key)
	return ok && v != ""
}
