module github.com/ringfence/ringfence/cmd/ringfence/internal/browser

go 1.26.0

require (
	github.com/chromedp/cdproto v0.159.0 // the protocol's own types
	github.com/chromedp/chromedp v0.23.0 // drives Chromium
	github.com/stretchr/testify v1.12.1 // assertions
)

require (
	github.com/go-json-experiment/json v0.0.0-20260213210345-44df1a37e875 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
)
