package config_test

import (
	"flag"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/config"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestRepositoryProblems holds the messages for each rule of ringfence.yaml. The
// lines stand behind a header of two.
func TestRepositoryProblems(t *testing.T) {
	for name, tt := range map[string]struct{ body, want string }{
		"folders": {
			"layout: {tenants: /overlays/*, cluster: ../x, guard: base//guard}\n",
			`r.yaml:3:19: layout.tenants: "/overlays/*": paths are relative to the repository's root (write overlays/*)
r.yaml:3:41: layout.cluster: "../x" leads out of the repository
r.yaml:3:54: layout.guard: "base//guard" is not a plain path (write base/guard)`,
		},
		"more folders": {
			"layout: {tenants: overlays/**, cluster: ., guard: base/*}\n",
			`r.yaml:3:19: layout.tenants: "overlays/**": "**" is not known (write one * for each folder)
r.yaml:3:41: layout.cluster: must be a folder below the root, not the root itself
r.yaml:3:51: layout.guard: "base/*" names one folder and cannot be a glob`,
		},
		"empty folders": {
			"layout: {tenants: '', cluster: '', guard: 'a\\b'}\n",
			`r.yaml:3:19: layout.tenants: must not be empty ("*" matches every name)
r.yaml:3:32: layout.cluster: must not be empty
r.yaml:3:43: layout.guard: "a\\b": paths are written with slashes (write a/b)`,
		},
		"same folder": {
			"layout: {cluster: base/guard}\n",
			`r.yaml:3:9: layout.guard: is the same folder as layout.cluster, "base/guard" (give the guard a folder of its own)`,
		},
		"globs": {
			"layout: {namespaces: [\"[a\", \"!b\", C, a/b], expect: [\"\\\\\"], namespaceLabels: ['']}\n",
			`r.yaml:3:23: layout.namespaces[0]: "[a" is not a glob (* any text, ? any character, [a-z] a range, \ before a character that is meant itself)
r.yaml:3:29: layout.namespaces[1]: "!b": globs cannot be negated (list what is meant instead)
r.yaml:3:35: layout.namespaces[2]: "C" matches no name (names hold lower-case letters, digits, - and .)
r.yaml:3:38: layout.namespaces[3]: "a/b" matches no name (names hold lower-case letters, digits, - and .)
r.yaml:3:53: layout.expect[0]: "\\" is not a glob (* any text, ? any character, [a-z] a range, \ before a character that is meant itself)
r.yaml:3:78: layout.namespaceLabels[0]: must not be empty ("*" matches every name)`,
		},
		"no namespaces": {"layout: {namespaces: []}\n", `r.yaml:3:22: layout.namespaces: needs at least 1 entry`},
		"tiers": {
			"layout: {tenantTiers: [a.b]}\n",
			`r.yaml:3:24: layout.tenantTiers[0]: "a.b" is not a DNS label (must not contain dots)`,
		},
		"CIDRs": {
			"network: {podCIDRs: [10.0.0.1/8, 10.0.0.1, fd00::1, x], serviceCIDRs: [10.0.0.0/8, 10.0.0.0/8]}\n",
			`r.yaml:3:22: network.podCIDRs[0]: "10.0.0.1/8" has bits behind its prefix length (write 10.0.0.0/8 for the range)
r.yaml:3:34: network.podCIDRs[1]: "10.0.0.1" is an address, not a CIDR (write 10.0.0.1/32 for this one address)
r.yaml:3:44: network.podCIDRs[2]: "fd00::1" is an address, not a CIDR (write fd00::1/128 for this one address)
r.yaml:3:53: network.podCIDRs[3]: "x" is not a CIDR (such as 10.0.0.0/8 or fd00::/8)
r.yaml:3:84: network.serviceCIDRs[1]: "10.0.0.0/8" is listed twice, in lines 3 and 3 (remove one of them)`,
		},
		"DNS": {
			"network: {dns: {namespace: Kube, labels: {}}}\n",
			`r.yaml:3:28: network.dns.namespace: "Kube" is not a DNS label (a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?'))
r.yaml:3:42: network.dns.labels: needs at least 1 entry`,
		},
		"calico": {
			"network: {calicoVersion: 3.31}\n",
			`r.yaml:3:26: network.calicoVersion: a string is expected, not the number 3.31 (quote it: "3.31")`,
		},
		"calico's v": {
			"network: {calicoVersion: v3.31}\n",
			`r.yaml:3:26: network.calicoVersion: "v3.31" is not a Calico version (such as "3.31", or auto)`,
		},
		"gate": {
			"gate: {lint: errors, tests: maybe}\n",
			`r.yaml:3:14: gate.lint: unknown value "errors" (allowed: off, warning, error; did you mean error?)
r.yaml:3:29: gate.tests: unknown value "maybe" (allowed: off, required)`,
		},
		"limits": {
			"limits: {treeBytes: 64MB, fileBytes: -1, files: 0, renderTime: 10, yamlDepth: 1.5, yamlAliases: many, fileByte: 1}\n",
			`r.yaml:3:21: limits.treeBytes: "64MB" has an unknown suffix (a whole number of bytes, or with a suffix: 64Mi, 1Gi, 500k)
r.yaml:3:49: limits.files: 0 would refuse everything (a negative value means no limit)
r.yaml:3:64: limits.renderTime: a duration is expected, not the bare number 10 (a number with its unit: 30s, 10m, 1h30m)
r.yaml:3:79: limits.yamlDepth: a whole number is expected, not the number 1.5
r.yaml:3:97: limits.yamlAliases: a whole number is expected, not the string "many"
r.yaml:3:103: limits.fileByte: unknown key (allowed: treeBytes, files, fileBytes, yamlDepth, yamlAliases, objectsPerTenant, renderTime; did you mean fileBytes?)`,
		},
		"sizes": {
			"limits: {treeBytes: 9223372036854775807Ki, fileBytes: 1.5Mi}\n",
			`r.yaml:3:21: limits.treeBytes: the size 9223372036854775807Ki is too large
r.yaml:3:55: limits.fileBytes: "1.5Mi" is not a size (a whole number of bytes, or with a suffix: 64Mi, 1Gi, 500k)`,
		},
		"the daemon's keys": {
			"source: {url: x}\nsync: {}\ndrift: {mode: correct}\n",
			`r.yaml:3:1: source: unknown key (it belongs in the daemon's own file, kind: Config)
r.yaml:4:1: sync: unknown key (it belongs in the daemon's own file, kind: Config)
r.yaml:5:9: drift.mode: unknown key (it belongs in the daemon's own file, kind: Config)`,
		},
		"rules that match nothing": {
			`drift:
  ignore:
  - {kind: NetworkPolicy, namespace: a, name: x, reason: y}
  - {group: apps, kind: Deployment, namespace: a, name: x, reason: y}
  - {group: networking.k8s.io, kind: NetworkPolicy, name: x, reason: y}
  - {group: projectcalico.org, kind: Tier, namespace: "*", name: x, reason: y, specHash: abc}
  - {kind: Namespace, name: x, reason: y, specHash: ` + strings.Repeat("0f", 32) + `}
  - {group: projectcalico.org, kind: NetworkSet, namespace: "a-*", name: "*", reason: y, specHash: ` + strings.Repeat("0f", 32) + `}
`,
			`r.yaml:5:5: drift.ignore[0]: no kind NetworkPolicy is guarded in the core group (give its group, such as networking.k8s.io or projectcalico.org)
r.yaml:6:5: drift.ignore[1]: no kind Deployment is guarded in the group apps (only guarded kinds and Namespace can differ)
r.yaml:7:5: drift.ignore[2]: NetworkPolicy is in namespaces, and none is given (give a namespace; "*" is every one)
r.yaml:8:5: drift.ignore[3]: Tier is not in a namespace (remove the namespace)
r.yaml:8:90: drift.ignore[3].specHash: "abc" is not a SHA-256 (64 hexadecimal digits in lower case, as specHash in /api/v1/drift)
r.yaml:9:5: drift.ignore[4]: what matters of a Namespace are its labels, and they have no hash (remove specHash)`,
		},
		"not yet": {
			`layout: {allowedKinds: [{kind: Role, scope: Namespaced}]}
lint: {disable: [a], severity: {a: off}}
`,
			`r.yaml:3:24: layout.allowedKinds: this version of Ringfence does not have kinds beside the guarded ones yet: only an empty list is accepted (leave the key out)
r.yaml:4:17: lint.disable: this version of Ringfence does not have lint yet: only an empty list is accepted (leave the key out)
r.yaml:4:18: lint.disable[0]: lint.severity gives the disabled rule "a" a severity (remove one of them)
r.yaml:4:32: lint.severity: this version of Ringfence does not have lint yet: only an empty mapping is accepted (leave the key out)`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := config.ParseRepository("r.yaml", []byte(repositoryHead+tt.body))
			assert.EqualError(t, err, tt.want)
		})
	}
}

// TestHeader holds the messages for files that are not what they should be.
func TestHeader(t *testing.T) {
	for name, tt := range map[string]struct{ file, want string }{
		"none":        {"gate: {}\n", "r.yaml:1:1: apiVersion: is required (allowed: ringfence.dev/v1)\nr.yaml:1:1: kind: is required (allowed: Repository, Config)"},
		"version":     {"apiVersion: ringfence.dev/v2\nkind: Repository\n", `r.yaml:1:13: apiVersion: unknown value "ringfence.dev/v2" (allowed: ringfence.dev/v1; did you mean ringfence.dev/v1?)`},
		"other kind":  {daemonSource, "r.yaml:2:7: kind: this is the daemon's own file, not a policy repository's ringfence.yaml (kind: Repository is expected here)"},
		"the header":  {"apiVersion: ringfence.dev/v1\nkind: Tenant\n", `r.yaml:2:7: kind: unknown value "Tenant" (allowed: Repository, Config)`},
		"no document": {"", "r.yaml: the file is empty (it needs at least apiVersion and kind)"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := config.ParseRepository("r.yaml", []byte(tt.file))
			assert.EqualError(t, err, tt.want)
		})
	}
	_, err := config.ParseDaemon("c.yaml", []byte(repositoryHead+"nonsense: 1\n"))
	assert.EqualError(t, err, "c.yaml:2:7: kind: this is a policy repository's ringfence.yaml, not the daemon's own file (kind: Config is expected here)")
}

// TestDaemonProblems holds the messages for each rule of the daemon's file. The
// lines stand behind a header of two; a source.url is put in where there is no source.
func TestDaemonProblems(t *testing.T) {
	for name, tt := range map[string]struct{ body, want string }{
		"no source": {"{}", "c.yaml:1:1: source.url: is required"},
		"URLs": {
			`source: {url: "git@git.example.com:platform/policies.git"}`,
			`c.yaml:3:15: source.url: "git@git.example.com:platform/policies.git" is in scp's form, not a URL (write ssh://git@git.example.com/platform/policies.git)`,
		},
		"a path": {
			`source: {url: /srv/policies.git}`,
			`c.yaml:3:15: source.url: "/srv/policies.git" is a path, not a URL (write file:///srv/policies.git)`,
		},
		"a word":       {`source: {url: policies}`, `c.yaml:3:15: source.url: "policies" is not a URL (allowed: https://, http://, ssh://, file://)`},
		"empty URL":    {`source: {url: ""}`, `c.yaml:3:15: source.url: must not be empty`},
		"scheme":       {`source: {url: "git://h/r"}`, `c.yaml:3:15: source.url: "git://h/r" has an unknown scheme (allowed: https://, http://, ssh://, file://)`},
		"secret":       {`source: {url: "https://u:hunter2@h/r"}`, `c.yaml:3:15: source.url: a URL must not hold a password (use source.auth.username and passwordFile or tokenFile)`},
		"user":         {`source: {url: "https://u@h/r"}`, `c.yaml:3:15: source.url: an https URL must not hold a user name (use source.auth.username)`},
		"broken":       {`source: {url: "https://u:hunter2@h:x/r"}`, `c.yaml:3:15: source.url: this is not a URL (allowed: https://, http://, ssh://, file://)`},
		"no host":      {`source: {url: "https:///r"}`, `c.yaml:3:15: source.url: "https:///r" has no host`},
		"no path":      {`source: {url: "https://h"}`, `c.yaml:3:15: source.url: "https://h" names no repository on h`},
		"query":        {`source: {url: "https://h/r?ref=x"}`, `c.yaml:3:15: source.url: "https://h/r?ref=x" has a query or a fragment (give the branch or tag in source.ref, the folder in source.path)`},
		"file":         {`source: {url: "file://srv/r"}`, `c.yaml:3:15: source.url: "file://srv/r" names no folder on this machine (file:///srv/policies.git, with three slashes)`},
		"port":         {`source: {url: "ssh://git@h:99999/r"}`, `c.yaml:3:15: source.url: "99999" is not a port (a number from 1 to 65535)`},
		"two refs":     {"source: {url: \"https://h/r\", ref: {branch: a, tag: b}}", `c.yaml:3:35: source.ref: branch and tag are given (exactly one of branch, tag, semver, commit)`},
		"empty ref":    {"source: {url: \"https://h/r\", ref: {}}", `c.yaml:3:35: source.ref: nothing is given (exactly one of branch, tag, semver, commit)`},
		"bad branch":   {"source: {url: \"https://h/r\", ref: {branch: refs/heads/x}}", `c.yaml:3:44: source.ref.branch: "refs/heads/x": a branch goes by its short name (write x)`},
		"bad tag":      {"source: {url: \"https://h/r\", ref: {tag: a..b}}", `c.yaml:3:41: source.ref.tag: "a..b" is not a name that Git allows (see git-check-ref-format(1))`},
		"bad semver":   {"source: {url: \"https://h/r\", ref: {semver: latest}}", `c.yaml:3:44: source.ref.semver: "latest" is not a version constraint (such as ">=1.2.0 <2", "~1.4", "^2")`},
		"bad commit":   {"source: {url: \"https://h/r\", ref: {commit: abc1234}}", `c.yaml:3:44: source.ref.commit: "abc1234" is not a full commit hash (40 hexadecimal digits in lower case)`},
		"empty commit": {"source: {url: \"https://h/r\", ref: {commit: ''}}", `c.yaml:3:44: source.ref.commit: must not be empty`},
		"auth of the other scheme": {
			"source: {url: \"https://h/r\", auth: {sshKeyFile: a, knownHostsFile: b}}",
			`c.yaml:3:49: source.auth.sshKeyFile: means nothing with the scheme of source.url, https (for ssh only)
c.yaml:3:68: source.auth.knownHostsFile: means nothing with the scheme of source.url, https (for ssh only)`,
		},
		"auth of ssh": {
			"source: {url: \"ssh://h/r\", auth: {tokenFile: a, sshKeyPassphraseFile: b}, tls: {caFile: c}, proxy: \"http://p:1\"}",
			`c.yaml:3:46: source.auth.tokenFile: means nothing with the scheme of source.url, ssh (for http, https only)
c.yaml:3:71: source.auth.sshKeyPassphraseFile: there is no key that it could be for (give source.auth.sshKeyFile too)
c.yaml:3:89: source.tls.caFile: means nothing with the scheme of source.url, ssh (for https only)
c.yaml:3:100: source.proxy: means nothing with the scheme of source.url, ssh (for http, https only)`,
		},
		"two secrets": {
			"source: {url: \"https://h/r\", auth: {tokenFile: a, passwordFile: b}, tls: {certFile: c}}",
			`c.yaml:3:48: source.auth.tokenFile: contradicts source.auth.passwordFile (give one of them)
c.yaml:3:65: source.auth.passwordFile: a password needs a user name (give source.auth.username too, or use tokenFile)
c.yaml:3:74: source.tls: certFile and keyFile are needed together`,
		},
		"content of a secret": {
			"source: {url: \"ssh://h/r\", auth: {sshKeyFile: \"-----BEGIN KEY\"}}",
			`c.yaml:3:47: source.auth.sshKeyFile: this is the content of a file, not its path (write the content to a file and name it here)`,
		},
		"proxy": {
			"source: {url: \"https://h/r\", proxy: \"ftp://h\"}",
			`c.yaml:3:37: source.proxy: "ftp://h" is not a proxy's URL (allowed: http://, https://, socks5:// and a host)`,
		},
		"proxy's password": {
			"source: {url: \"https://h/r\", proxy: \"http://u:p@h\"}",
			`c.yaml:3:37: source.proxy: a URL must not hold a password (set HTTPS_PROXY in the environment instead)`,
		},
		"path":             {"source: {url: \"https://h/r\", path: /a}", `c.yaml:3:36: source.path: "/a": paths are relative to the repository's root (write a)`},
		"poll":             {"source: {url: \"https://h/r\", poll: 30s}", `c.yaml:3:36: source.poll: "30s" is not a schedule: expected exactly 5 fields, found 1: [30s] (five fields as in cron, such as "0 6 * * MON", or "@every 30s", "@hourly", "@daily")`},
		"poll too often":   {"source: {url: \"https://h/r\", poll: \"@every 10ms\"}", `c.yaml:3:36: source.poll: the interval 10ms is too short (@every 1s is the shortest)`},
		"poll never":       {"source: {url: \"https://h/r\", poll: \"0 0 30 2 *\"}", `c.yaml:3:36: source.poll: the schedule "0 0 30 2 *" never comes`},
		"poll zone alone":  {"source: {url: \"https://h/r\", poll: \"TZ=0\"}", `c.yaml:3:36: source.poll: the schedule "TZ=0" has a time zone and nothing else (five fields as in cron, such as "0 6 * * MON", or "@every 30s", "@hourly", "@daily")`},
		"poll wrong zone":  {"source: {url: \"https://h/r\", poll: \"CRON_TZ=Berlin 0 6 * * *\"}", `c.yaml:3:36: source.poll: "Berlin" is not a time zone (a name of the IANA database: Europe/Berlin, UTC)`},
		"instance":         {"instance: A_b\n", `c.yaml:3:11: instance: "A_b" is not a DNS label (a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?'))`},
		"dataDir":          {"dataDir: ''\n", `c.yaml:3:10: dataDir: must not be empty`},
		"workers, qps":     {"sync: {mode: dry, workers: 0, qps: 0}\n", "c.yaml:3:14: sync.mode: unknown value \"dry\" (allowed: apply, observe)\nc.yaml:3:28: sync.workers: must be at least 1, not 0\nc.yaml:3:36: sync.qps: 0 would allow no request at all (a number above 0, or -1 for no bound)"},
		"listen":           {"http: {listen: 8080, metricsListen: localhost}\n", "c.yaml:3:16: http.listen: a string is expected, not the number 8080 (quote it: \"8080\")\nc.yaml:3:37: http.metricsListen: \"localhost\" is not an address with a port (such as 127.0.0.1:8080, [::1]:8080, or :8080 for every address)"},
		"listen, a URL":    {"listen: \"http://localhost:80\"\n", "c.yaml:3:9: listen: \"http://localhost:80\" is a URL, not an address with a port (such as 127.0.0.1:8080, [::1]:8080, or :8080 for every address)"},
		"listen, host":     {"listen: \"a b:80\"\n", "c.yaml:3:9: listen: \"a b\" is not the name or address of a host (such as 127.0.0.1:8080, [::1]:8080, or :8080 for every address)"},
		"listen, port":     {"listen: \"localhost:http\"\n", "c.yaml:3:9: listen: \"http\" is not a port (a number from 0 to 65535)"},
		"listen twice":     {"listen: :1\nhttp: {listen: \":2\"}\n", "c.yaml:3:9: listen: is short for http.listen, which is given in line 4 (remove one of them)"},
		"listen empty":     {"listen: ''\n", "c.yaml:3:9: listen: must not be empty"},
		"listen same":      {"http: {listen: \":1\", metricsListen: \":1\"}\n", "c.yaml:3:37: http.metricsListen: is the same address as http.listen, :1 (leave it out to serve both there)"},
		"hooks, no secret": {"http: {hookListen: \":9\"}\n", "c.yaml:3:20: http.hookListen: nothing would be served there: hooks need a secret (give http.hookSecretFile too)"},
		"hooks same":       {"http: {listen: \":9\", hookListen: \":9\", hookSecretFile: s}\n", "c.yaml:3:34: http.hookListen: is the same address as http.listen, :9 (leave it out to serve both there)"},
		"auth":             {"http: {auth: token}\n", "c.yaml:3:14: http.auth: unknown value \"token\" (allowed: none, kubernetes)"},
		"log":              {"log: {level: warning, format: JSON}\n", "c.yaml:3:14: log.level: unknown value \"warning\" (allowed: debug, info, warn, error; did you mean warn?)\nc.yaml:3:31: log.format: unknown value \"JSON\" (allowed: text, json; did you mean json?)"},
		"misplaced":        {"branch: main\n", "c.yaml:3:1: branch: unknown key (allowed: apiVersion, kind, instance, dataDir, source, sync, drift, leaderElection, http, log, layout, network, gate, lint, limits, listen; did you mean source.ref.branch?)"},
		"pins are checked": {"layout: {namespaces: [A]}\ndrift: {extra: no}\n", "c.yaml:3:23: layout.namespaces[0]: \"A\" matches no name (names hold lower-case letters, digits, - and .)\nc.yaml:4:16: drift.extra: unknown value \"no\" (allowed: report, delete)"},
		"pins contradict":  {"layout: {cluster: a, guard: a}\n", "c.yaml:3:29: layout.guard: is the same folder as layout.cluster, \"a\" (give the guard a folder of its own)"},
		"break-glass":      {"drift: {breakGlass: {maxDuration: -1h}}\n", "c.yaml:3:35: drift.breakGlass.maxDuration: must be at least 0s, not -1h0m0s"},
		"break-glass long": {"drift: {breakGlass: {maxDuration: 25h}}\n", "c.yaml:3:35: drift.breakGlass.maxDuration: must be at most 24h, not 25h0m0s (it is counted within 24 hours)"},
		"signers": {
			"source:\n  url: https://h/r\n  verify: {signers: [{openpgpFile: a, sshAllowedSignersFile: b}]}\n",
			"c.yaml:5:11: source.verify: signers or trustFrom are given, but mode is none (set mode to head or range, or remove them)\nc.yaml:5:22: source.verify.signers[0]: exactly one of openpgpFile and sshAllowedSignersFile is needed",
		},
		"freeze": {
			"sync: {freeze: [{start: x, duration: 1, timeZone: Mars}]}\n",
			`c.yaml:3:25: sync.freeze[0].start: "x" is not a schedule: expected exactly 5 fields, found 1: [x] (five fields as in cron, such as "0 6 * * MON", or "@every 30s", "@hourly", "@daily")
c.yaml:3:38: sync.freeze[0].duration: a duration is expected, not the bare number 1 (a number with its unit: 30s, 10m, 1h30m)
c.yaml:3:51: sync.freeze[0].timeZone: "Mars" is not a time zone (a name of the IANA database: Europe/Berlin, UTC)`,
		},
		"freeze that means nothing": {
			`sync:
  freeze:
  - {start: "@every 1h", duration: 10m}
  - {start: "CRON_TZ=Europe/Berlin 0 18 * * FRI", duration: 60h}
  - {start: "0 * * * *", duration: 1h}
  - {start: "0 18 * * FRI", duration: 60h, timeZone: Europe/Berlin}
`,
			`c.yaml:5:13: sync.freeze[0].start: "@every 1h" says how often, and not when (give the times at which it begins, such as "0 18 * * FRI")
c.yaml:6:13: sync.freeze[1].start: "CRON_TZ=Europe/Berlin 0 18 * * FRI" has a time zone of its own (give it as timeZone)
c.yaml:7:13: sync.freeze[2].start: lasts 1h0m0s and begins again before it ends, so that it never ends (make it shorter, or let it begin more seldom)`,
		},
		"not yet": {
			`source: {url: "https://h/r", verify: {mode: head}}
leaderElection: {enabled: true}
layout: {allowedKinds: [{kind: Role, scope: Namespaced}]}
`,
			`c.yaml:3:45: source.verify.mode: this version of Ringfence does not have signature verification yet: only none is accepted (leave the key out)
c.yaml:5:24: layout.allowedKinds: this version of Ringfence does not have kinds beside the guarded ones yet: only an empty list is accepted (leave the key out)`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			body := strings.TrimSuffix(tt.body, "\n") + "\n"
			switch {
			case tt.body == "{}":
				body = ""
			case !strings.HasPrefix(body, "source:"):
				body += "source: {url: \"https://h/r\"}\n"
			}
			_, err := config.ParseDaemon("c.yaml", []byte(daemonHead+body))
			assert.EqualError(t, err, tt.want)
		})
	}
}
