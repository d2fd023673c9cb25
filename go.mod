module github.com/ringfence/ringfence

go 1.26.0

require (
	github.com/Masterminds/semver/v3 v3.5.0 // source.ref.semver: constraints over tags
	github.com/go-git/go-billy/v5 v5.9.2 // the file system of go-git's store
	github.com/go-git/go-git/v5 v5.19.3 // Git protocol, packs and objects, in process
	github.com/projectcalico/api v0.0.0-20260303210141-543421943355 // Calico's types and their defaulting
	github.com/prometheus/client_golang v1.25.0 // metrics
	github.com/prometheus/client_model v0.6.3 // metric families, as client_golang gathers them
	github.com/robfig/cron/v3 v3.0.1 // every schedule in the configuration
	github.com/rogpeppe/go-internal v1.16.0 // testscript for tests; lockedfile for locks between processes
	github.com/spf13/cobra v1.10.2 // the command line
	github.com/stretchr/testify v1.12.1 // assertions of tests
	go.yaml.in/yaml/v3 v3.0.6 // YAML nodes with line and column
	golang.org/x/crypto v0.58.0 // SSH, and known_hosts
	golang.org/x/sync v0.24.0 // errgroup, singleflight
	golang.org/x/sys v0.49.0 // what the standard library lacks of system calls
	golang.org/x/term v0.47.0 // whether stderr is a terminal, and how wide
	golang.org/x/time v0.15.0 // limits on the rate of requests
	k8s.io/api v0.37.2 // types of Kubernetes objects
	k8s.io/apiextensions-apiserver v0.37.2 // what the API server itself checks custom resources with: schemas and CEL rules
	k8s.io/apimachinery v0.37.2 // unstructured objects and API errors
	k8s.io/apiserver v0.37.2 // the cost limits of CEL rules
	k8s.io/client-go v0.37.2 // the Kubernetes client, reflectors and work queues
	k8s.io/klog/v2 v2.140.0 // to keep client-go's own log quiet
	pgregory.net/rapid v1.3.0 // property tests
	sigs.k8s.io/json v0.0.0-20250730193827-2d320260d730 // JSON as the API server reads it: case-sensitive, integers kept
	sigs.k8s.io/kustomize/api v0.21.2 // rendering overlays
	sigs.k8s.io/kustomize/kyaml v0.21.2 // kustomize's file system interface
	sigs.k8s.io/structured-merge-diff/v6 v6.4.2 // paths in managedFields
	sigs.k8s.io/yaml v1.6.0 // Kubernetes YAML to and from JSON
)

require (
	cel.dev/expr v0.25.1 // indirect
	github.com/Microsoft/go-winio v0.6.2 // indirect
	github.com/ProtonMail/go-crypto v1.1.6 // indirect
	github.com/antlr4-go/antlr/v4 v4.13.1 // indirect
	github.com/beorn7/perks v1.0.1 // indirect
	github.com/blang/semver/v4 v4.0.0 // indirect
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/cloudflare/circl v1.6.3 // indirect
	github.com/cyphar/filepath-securejoin v0.6.1 // indirect
	github.com/davecgh/go-spew v1.1.2-0.20180830191138-d8f796af33cc // indirect
	github.com/emicklei/go-restful/v3 v3.13.0 // indirect
	github.com/emirpasic/gods v1.18.1 // indirect
	github.com/fxamacker/cbor/v2 v2.9.1 // indirect
	github.com/go-errors/errors v1.5.1 // indirect
	github.com/go-git/gcfg v1.5.1-0.20230307220236-3a3c6141e376 // indirect
	github.com/go-logr/logr v1.4.3 // indirect
	github.com/go-openapi/jsonpointer v1.0.0 // indirect
	github.com/go-openapi/jsonreference v1.0.0 // indirect
	github.com/go-openapi/swag v0.27.1 // indirect
	github.com/go-openapi/swag/cmdutils v0.27.1 // indirect
	github.com/go-openapi/swag/conv v0.27.1 // indirect
	github.com/go-openapi/swag/fileutils v0.27.1 // indirect
	github.com/go-openapi/swag/jsonutils v0.27.1 // indirect
	github.com/go-openapi/swag/loading v0.27.1 // indirect
	github.com/go-openapi/swag/mangling v0.27.1 // indirect
	github.com/go-openapi/swag/netutils v0.27.1 // indirect
	github.com/go-openapi/swag/pools v0.27.1 // indirect
	github.com/go-openapi/swag/stringutils v0.27.1 // indirect
	github.com/go-openapi/swag/typeutils v0.27.1 // indirect
	github.com/go-openapi/swag/yamlutils v0.27.1 // indirect
	github.com/golang/groupcache v0.0.0-20241129210726-2c02b8208cf8 // indirect
	github.com/google/cel-go v0.29.2 // indirect
	github.com/google/gnostic-models v0.7.1 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/inconshreveable/mousetrap v1.1.0 // indirect
	github.com/jbenet/go-context v0.0.0-20150711004518-d14ea06fba99 // indirect
	github.com/jinzhu/copier v0.4.0 // indirect
	github.com/json-iterator/go v1.1.12 // indirect
	github.com/kevinburke/ssh_config v1.2.0 // indirect
	github.com/kylelemons/godebug v1.1.0 // indirect
	github.com/modern-go/concurrent v0.0.0-20180306012644-bacd9c7ef1dd // indirect
	github.com/modern-go/reflect2 v1.0.3-0.20250322232337-35a7c28c31ee // indirect
	github.com/monochromegane/go-gitignore v0.0.0-20200626010858-205db1a8cc00 // indirect
	github.com/munnerz/goautoneg v0.0.0-20191010083416-a7dc8b61c822 // indirect
	github.com/pjbgf/sha1cd v0.7.0 // indirect
	github.com/pmezard/go-difflib v1.0.1-0.20181226105442-5d4384ee4fb2 // indirect
	github.com/prometheus/common v0.72.0 // indirect
	github.com/prometheus/procfs v0.22.0 // indirect
	github.com/sergi/go-diff v1.4.0 // indirect
	github.com/skeema/knownhosts v1.3.1 // indirect
	github.com/spf13/pflag v1.0.10 // indirect
	github.com/x448/float16 v0.8.4 // indirect
	github.com/xanzy/ssh-agent v0.3.3 // indirect
	github.com/xlab/treeprint v1.2.0 // indirect
	go.opentelemetry.io/otel v1.44.0 // indirect
	go.opentelemetry.io/otel/trace v1.44.0 // indirect
	go.yaml.in/yaml/v2 v2.4.4 // indirect
	golang.org/x/exp v0.0.0-20260410095643-746e56fc9e2f // indirect
	golang.org/x/net v0.60.0 // indirect
	golang.org/x/oauth2 v0.37.0 // indirect
	golang.org/x/text v0.43.0 // indirect
	golang.org/x/tools v0.51.0 // indirect
	google.golang.org/genproto/googleapis/api v0.0.0-20260526163538-3dc84a4a5aaa // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20260526163538-3dc84a4a5aaa // indirect
	google.golang.org/protobuf v1.36.12 // indirect
	gopkg.in/evanphx/json-patch.v4 v4.13.0 // indirect
	gopkg.in/inf.v0 v0.9.1 // indirect
	gopkg.in/warnings.v0 v0.1.2 // indirect
	k8s.io/component-base v0.37.2 // indirect
	k8s.io/kube-openapi v0.0.0-20260721132016-d427ff9ee9ad // indirect
	k8s.io/utils v0.0.0-20260626114624-be93311217bd // indirect
	sigs.k8s.io/randfill v1.0.0 // indirect
)
