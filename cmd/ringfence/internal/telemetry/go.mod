module github.com/ringfence/ringfence/cmd/ringfence/internal/telemetry

go 1.26.0

require (
	github.com/grafana/grafana-foundation-sdk/go v0.0.22 // the schema of a dashboard, as Grafana generates it
	github.com/prometheus/common v0.69.0 // the name of the label that holds a metric's name
	github.com/prometheus/prometheus v0.313.5 // Prometheus' own parser of expressions
	github.com/stretchr/testify v1.12.1 // assertions
	sigs.k8s.io/yaml v1.6.0 // rules as text
)

require (
	github.com/beorn7/perks v1.0.1 // indirect
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/dennwc/varint v1.0.0 // indirect
	github.com/grafana/regexp v0.0.0-20250905093917-f7b3be9d1853 // indirect
	github.com/munnerz/goautoneg v0.0.0-20191010083416-a7dc8b61c822 // indirect
	github.com/prometheus/client_golang v1.23.2 // indirect
	github.com/prometheus/client_model v0.6.2 // indirect
	github.com/prometheus/procfs v0.16.1 // indirect
	go.uber.org/atomic v1.11.0 // indirect
	go.yaml.in/yaml/v2 v2.4.4 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/sys v0.48.0 // indirect
	golang.org/x/text v0.42.0 // indirect
	google.golang.org/protobuf v1.36.11 // indirect
)
