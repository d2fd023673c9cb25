package config

import (
	"time"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/config/strict"
)

// Daemon is the daemon's own file (kind Config) with every default filled in.
// Get one from ParseDaemon; it is read-only from then on.
type Daemon struct {
	// Instance tells several daemons on one cluster apart: a DNS label (default
	// "default").
	Instance string `key:"instance" format:"dnsLabel"`
	// DataDir is the folder of the cache, which may be lost (default
	// /var/lib/ringfence).
	DataDir string `key:"dataDir" format:"file" is:"nonempty"`
	// Source is the policy repository.
	Source Source `key:"source"`
	// Sync says how the cluster is made to match.
	Sync Sync `key:"sync"`
	// Drift says how differences are found and treated.
	Drift Drift `key:"drift"`
	// LeaderElection says whether several replicas choose one that writes.
	LeaderElection LeaderElection `key:"leaderElection"`
	// HTTP is what the daemon serves.
	HTTP HTTP `key:"http"`
	// Log is the log on stderr.
	Log Log `key:"log"`

	pins   Repository
	pinned []string
	doc    *strict.Document
}

// Source is the "source" section.
type Source struct {
	// URL is the Git repository's: https, http, ssh or file. Required.
	URL string `key:"url" is:"required" format:"sourceURL"`
	// Ref is what is followed.
	Ref Ref `key:"ref"`
	// Path is the folder in the repository that is the policy repository's root
	// (default ".").
	Path string `key:"path" is:"nonempty" format:"path"`
	// Poll is when the repository is asked for news (default "@every 30s").
	Poll Schedule `key:"poll"`
	// Auth names the files that hold the credentials.
	Auth Auth `key:"auth"`
	// TLS names files for https.
	TLS TLS `key:"tls"`
	// Proxy is the URL of an http, https or socks5 proxy for http and https; ""
	// (default) means that HTTPS_PROXY, HTTP_PROXY and NO_PROXY are followed.
	Proxy string `key:"proxy" format:"proxyURL"`
	// Verify says which signatures a revision needs.
	Verify Verify `key:"verify"`
	// AllowRewind accepts a branch that moved to something that does not descend
	// from the last revision (default false).
	AllowRewind bool `key:"allowRewind"`
}

// Ref is the "source.ref" section; exactly one key is set (default branch: main).
type Ref struct {
	// Branch is a branch's name without refs/heads/.
	Branch string `key:"branch" format:"refName"`
	// Tag is a tag's name without refs/tags/.
	Tag string `key:"tag" format:"refName"`
	// Semver is a constraint such as ">=1.2.0 <2"; the highest tag that meets it is followed.
	Semver string `key:"semver" format:"semver"`
	// Commit is a full commit hash.
	Commit string `key:"commit" is:"nonempty" format:"commit"`
}

// Auth is the "source.auth" section. Files are read whenever they are needed,
// so that rotated secrets are seen.
type Auth struct {
	// Username is for http, https and ssh (default "git", but a password over
	// http and https needs one).
	Username string `key:"username" format:"line"`
	// PasswordFile holds the password for Username, for http, https and ssh.
	PasswordFile string `key:"passwordFile" format:"file"`
	// TokenFile holds an access token, for http and https instead of a password.
	TokenFile string `key:"tokenFile" format:"file"`
	// SSHKeyFile holds a private key, for ssh.
	SSHKeyFile string `key:"sshKeyFile" format:"file"`
	// SSHKeyPassphraseFile holds that key's passphrase.
	SSHKeyPassphraseFile string `key:"sshKeyPassphraseFile" format:"file"`
	// KnownHostsFile holds the host keys that are trusted, for ssh (default:
	// ~/.ssh/known_hosts and /etc/ssh/ssh_known_hosts).
	KnownHostsFile string `key:"knownHostsFile" format:"file"`
}

// TLS is the "source.tls" section, for https.
type TLS struct {
	// CAFile holds the certificates that are trusted beside the system's.
	CAFile string `key:"caFile" format:"file"`
	// CertFile holds the client's certificate.
	CertFile string `key:"certFile" format:"file"`
	// KeyFile holds the key of CertFile.
	KeyFile string `key:"keyFile" format:"file"`
}

// Verify is the "source.verify" section.
type Verify struct {
	// Mode says whose signature is needed: none's (default), that of the head,
	// or those of the range of new commits.
	Mode string `key:"mode" enum:"none|head|range"`
	// TrustFrom is the commit whose history needs no signatures.
	TrustFrom string `key:"trustFrom" format:"commit"`
	// Signers are those who may sign.
	Signers []Signer `key:"signers"`
}

// Signer is an entry of source.verify.signers; exactly one of the files is set.
type Signer struct {
	// OpenPGPFile holds armored OpenPGP public keys.
	OpenPGPFile string `key:"openpgpFile" format:"file"`
	// SSHAllowedSignersFile is as in ssh-keygen(1), ALLOWED SIGNERS.
	SSHAllowedSignersFile string `key:"sshAllowedSignersFile" format:"file"`
	// Paths are globs of the files that the signer may change; empty means all.
	Paths []string `key:"paths" format:"glob"`
}

// Sync is the "sync" section.
type Sync struct {
	// Mode is apply (default), or observe, which writes nothing.
	Mode string `key:"mode" enum:"apply|observe"`
	// Workers is the number of tenants that are worked on at a time (default 8).
	Workers int `key:"workers" min:"1" max:"1024"`
	// QPS bounds the requests to the API server per second; negative (default
	// -1) means that there is no bound.
	QPS float64 `key:"qps"`
	// MaxPrune bounds what is removed.
	MaxPrune MaxPrune `key:"maxPrune"`
	// Freeze lists the times in which no new revision is applied.
	Freeze []Freeze `key:"freeze"`
}

// MaxPrune is the "sync.maxPrune" section, counted over the last hour. Past
// either bound nothing is pruned or quarantined; all else is applied. 0 means
// that nothing is ever pruned, negative that there is no bound.
type MaxPrune struct {
	// Objects is the number of objects (default 20).
	Objects int `key:"objects"`
	// Tenants is the number of tenants (default 3).
	Tenants int `key:"tenants"`
}

// Drift is the daemon's own part of the "drift" section.
type Drift struct {
	// Mode is correct (default), or report, which undoes nothing.
	Mode string `key:"mode" enum:"correct|report"`
	// Audit is when everything is read from the cluster anew and compared
	// (default "@every 10m").
	Audit Schedule `key:"audit"`
	// BreakGlass is the exception that a person may take.
	BreakGlass BreakGlass `key:"breakGlass"`
}

// BreakGlass is the "drift.breakGlass" section.
type BreakGlass struct {
	// MaxDuration is how long it may last from first sight, and within 24 hours, at
	// most 24h; 0 (default) means that there is no such exception.
	MaxDuration time.Duration `key:"maxDuration" min:"0s"`
}

// LeaderElection is the "leaderElection" section.
type LeaderElection struct {
	// Enabled makes replicas choose a leader by Lease (default false).
	Enabled bool `key:"enabled"`
	// Namespace is where the Lease is, and the daemon's state (default
	// ringfence-system).
	Namespace string `key:"namespace" format:"dnsLabel"`
}

// HTTP is the "http" section. An address without host, such as ":8080", means
// every address of the machine; port 0 means a free one.
type HTTP struct {
	// Listen serves the page, the API, /metrics and health (default
	// 127.0.0.1:8080). "listen" at the top level is short for it.
	Listen string `key:"listen" is:"nonempty" format:"listen"`
	// MetricsListen serves /metrics and health elsewhere, instead of on Listen;
	// "" (default) means on Listen.
	MetricsListen string `key:"metricsListen" format:"listen"`
	// HookListen serves /hook elsewhere.
	HookListen string `key:"hookListen" format:"listen"`
	// HookSecretFile holds the secret that push hooks are authenticated with;
	// "" (default) means that there is no /hook.
	HookSecretFile string `key:"hookSecretFile" format:"file"`
	// Auth says who may use the API: none (default) asks nobody, kubernetes
	// asks the API server.
	Auth string `key:"auth" enum:"none|kubernetes"`
}

// Log is the "log" section.
type Log struct {
	// Level is debug, info (default), warn or error.
	Level string `key:"level" enum:"debug|info|warn|error"`
	// Format is text (default) or json.
	Format string `key:"format" enum:"text|json"`
}

// short holds the keys at the top level that stand for others.
type short struct {
	Listen string `key:"listen" is:"nonempty" format:"listen"`
}

// DefaultDaemon returns what holds where there is no file; source.url has no default.
func DefaultDaemon() *Daemon {
	return &Daemon{
		Instance: "default",
		DataDir:  "/var/lib/ringfence",
		Source: Source{
			Ref:    Ref{Branch: "main"},
			Path:   ".",
			Poll:   mustSchedule("@every 30s"),
			Verify: Verify{Mode: "none", Signers: []Signer{}},
		},
		Sync:           Sync{Mode: "apply", Workers: 8, QPS: -1, MaxPrune: MaxPrune{Objects: 20, Tenants: 3}, Freeze: []Freeze{}},
		Drift:          Drift{Mode: "correct", Audit: mustSchedule("@every 10m")},
		LeaderElection: LeaderElection{Namespace: "ringfence-system"},
		HTTP:           HTTP{Listen: "127.0.0.1:8080", Auth: "none"},
		Log:            Log{Level: "info", Format: "text"},
		pins:           *DefaultRepository(),
	}
}

// ParseDaemon reads the daemon's file: kind Config, which may also pin any key
// of ringfence.yaml. file is its name for messages. The error is a
// *strict.Error with every problem.
func ParseDaemon(file string, data []byte) (*Daemon, error) {
	d := DefaultDaemon()
	head, alias := header{}, short{}
	doc := decode(file, data, kindConfig, &head, d, &d.pins, &alias)
	d.doc = doc
	for _, key := range doc.Keys() {
		if _, ok := strict.Get(&d.pins, key); ok {
			d.pinned = append(d.pinned, key)
		}
	}
	d.pins.guardGiven = doc.Given("layout.guard")
	d.short(alias)
	d.ref()
	notYet(doc, d, DefaultDaemon())
	notYet(doc, &d.pins, DefaultRepository())
	d.contradictions()
	d.pins.contradictions(doc.Add, doc.Given)
	if err := doc.Err(); err != nil {
		return nil, err
	}
	return d, nil
}
