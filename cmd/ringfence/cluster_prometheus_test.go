package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"sigs.k8s.io/yaml"
)

// telemetry is where dashboards and rules are.
const telemetry = repositoryRoot + "/base/ringfence"

// scraper is a real Prometheus that scrapes a script's daemon, with the rules of the repository.
type scraper struct {
	url   string
	began time.Time
}

// scraperKey finds a script's Prometheus among its values.
type scraperKey struct{}

func scraperOf(ts *testscript.TestScript) *scraper { return ts.Value(scraperKey{}).(*scraper) }

// startPrometheus starts Debian's Prometheus, which looks once a second: prometheus.
func startPrometheus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: prometheus")
	}
	rules, err := filepath.Abs(filepath.Join(telemetry, "alerts", "rules.yaml"))
	ts.Check(err)
	config := fmt.Sprintf("global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [%q]\nscrape_configs:\n- job_name: ringfence\n  static_configs: [{targets: [%q], labels: {cluster: test}}]\n",
		rules, ts.Getenv("LISTEN"))
	ts.Check(os.WriteFile(ts.MkAbs("prometheus.yml"), []byte(config), 0o600))
	for range 5 { // another process may take the port before it does
		if s := tryPrometheus(ts); s != nil {
			*scraperOf(ts) = *s
			return
		}
	}
	ts.Fatalf("prometheus does not start")
}

// tryPrometheus starts Prometheus on a free port; nil if it ends before it is ready.
func tryPrometheus(ts *testscript.TestScript) *scraper {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	address := listener.Addr().String()
	ts.Check(listener.Close())
	log, err := os.Create(ts.MkAbs("prometheus.log"))
	ts.Check(err)
	cmd := exec.Command("prometheus", "--config.file="+ts.MkAbs("prometheus.yml"), "--storage.tsdb.path="+ts.MkAbs("prometheus"), "--web.listen-address="+address)
	cmd.Stdout, cmd.Stderr = log, log
	s := &scraper{url: "http://" + address, began: time.Now()}
	ts.Check(cmd.Start())
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	ts.Defer(func() {
		_ = cmd.Process.Kill()
		<-ended
		_ = log.Close()
	})
	for {
		select {
		case <-ended:
			return nil
		case <-time.After(20 * time.Millisecond):
		}
		if s.get("/-/ready", nil, nil) == nil {
			return s
		}
	}
}

// get asks Prometheus; with a nil into only whether it answers.
func (s *scraper) get(path string, query url.Values, into any) error {
	ctx, cancel := context.WithTimeout(context.Background(), eventuallyLimit)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path+"?"+query.Encode(), http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if into != nil {
		return json.NewDecoder(response.Body).Decode(into)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, response.Status)
	}
	return nil
}

// hasData says what keeps an expression from having had a value since Prometheus began; "" if it had.
func (s *scraper) hasData(expr string) string {
	now := time.Now()
	step := max(time.Second, now.Sub(s.began)/5000)
	var answer struct {
		Error string
		Data  struct {
			Result []struct {
				Values [][2]any
			}
		}
	}
	seconds := func(t time.Time) string { return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', 3, 64) }
	if err := s.get("/api/v1/query_range", url.Values{
		"query": {expr}, "start": {seconds(s.began)}, "end": {seconds(now)}, "step": {strconv.FormatFloat(step.Seconds(), 'f', 3, 64)},
	}, &answer); err != nil {
		return err.Error()
	}
	if answer.Error != "" {
		return expr + ": " + answer.Error
	}
	for _, series := range answer.Data.Result {
		for _, point := range series.Values {
			if v, err := strconv.ParseFloat(point[1].(string), 64); err == nil && !math.IsNaN(v) {
				return ""
			}
		}
	}
	return expr + " has no data"
}

// hasValues says what keeps the query of a variable from having values since Prometheus began; "" if it had some.
func (s *scraper) hasValues(query string) string {
	m := labelValues.FindStringSubmatch(query)
	if m == nil {
		return query + " is none of label_values"
	}
	var answer struct{ Data []string }
	if err := s.get("/api/v1/label/"+m[2]+"/values", url.Values{"match[]": {m[1]}}, &answer); err != nil {
		return err.Error()
	}
	if len(answer.Data) == 0 {
		return query + " has no values"
	}
	return ""
}

// alert waits until an alert is pending or firing, or with ! until it is not: alert NAME [LABEL=VALUE].
func alert(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 0 || len(args) > 2 {
		ts.Fatalf("usage: alert name [label=value]")
	}
	until(ts, strings.Join(args, " "), func() string {
		var answer struct {
			Data struct {
				Alerts []struct {
					Labels, Annotations map[string]string
				}
			}
		}
		if err := scraperOf(ts).get("/api/v1/alerts", nil, &answer); err != nil {
			return err.Error()
		}
		var others []string
		for _, a := range answer.Data.Alerts {
			others = append(others, fmt.Sprint(a.Labels))
			for _, text := range a.Annotations {
				if strings.Contains(text, "error expanding") || strings.Contains(text, "no value") {
					return text
				}
			}
			key, value, narrow := strings.Cut(strings.Join(args[1:], ""), "=")
			if a.Labels["alertname"] == args[0] && (!narrow || a.Labels[key] == value) {
				if neg {
					return fmt.Sprint(a.Labels)
				}
				return ""
			}
		}
		if neg {
			return ""
		}
		return "it is none of those that are: " + strings.Join(others, "\n")
	})
}

var (
	exprField       = regexp.MustCompile(`(?m)^\s*"expr": (".*"),?$`)
	definitionField = regexp.MustCompile(`(?m)^\s*"definition": (".*"),?$`)
	fighting        = regexp.MustCompile(`(?m)^ringfence_drift_fights [1-9]`)
	labelValues     = regexp.MustCompile(`^label_values\((.*), (\w+)\)$`)
	selector        = regexp.MustCompile(`[a-z_:]*ringfence_[a-z0-9_:]+(?:\{[^}]*\})?`)
)

// panelsHaveData checks that every query of every dashboard, those of variables too, had data at some time: panels TENANT.
func panelsHaveData(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: panels tenant")
	}
	files, err := filepath.Glob(filepath.Join(telemetry, "dashboards", "*.json"))
	ts.Check(err)
	variables := strings.NewReplacer("$__rate_interval", "1m", "$__interval", "1s", "$cluster", ".*", "$instance", ".*", "$job", ".*", "$target", ".*", "$tenant", args[0])
	n := 0
	has := func(file, text string, data func(string) string) {
		var expr string
		ts.Check(json.Unmarshal([]byte(text), &expr))
		until(ts, file, func() string { return data(variables.Replace(expr)) })
		n++
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		ts.Check(err)
		for _, m := range exprField.FindAllStringSubmatch(string(text), -1) {
			has(file, m[1], scraperOf(ts).hasData)
		}
		for _, m := range definitionField.FindAllStringSubmatch(string(text), -1) {
			has(file, m[1], scraperOf(ts).hasValues)
		}
	}
	ts.Logf("%d queries have data", n)
	if n == 0 {
		ts.Fatalf("no queries")
	}
}

// rulesHaveData checks that every recording rule had data at some time, and everything that an alert selects: rules.
func rulesHaveData(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: rules")
	}
	text, err := os.ReadFile(filepath.Join(telemetry, "alerts", "rules.yaml"))
	ts.Check(err)
	var file struct {
		Groups []struct {
			Rules []struct{ Record, Alert, Expr string }
		}
	}
	ts.Check(yaml.Unmarshal(text, &file))
	n := 0
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			wanted := selector.FindAllString(rule.Expr, -1)
			if rule.Record != "" {
				wanted = []string{rule.Expr, rule.Record}
			}
			if len(wanted) == 0 {
				ts.Fatalf("%s selects nothing", rule.Alert)
			}
			for _, expr := range wanted {
				until(ts, rule.Record+rule.Alert, func() string { return scraperOf(ts).hasData(expr) })
			}
			n++
		}
	}
	ts.Logf("%d rules have data", n)
}

// fightOver opens deny-all of a namespace again and again until Ringfence takes it for a fight: fight NAMESPACE.
func fightOver(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: fight namespace")
	}
	until(ts, "fight", func() string {
		output(ts, "kubectl", "patch", "networkpolicy", "deny-all", "-n", args[0], "--field-manager", "fighter", "--type", "merge", "-p", `{"spec":{"ingress":[{}]}}`)
		if !fighting.MatchString(fetch(ts.Getenv("API") + "/metrics")) {
			return "no fight yet"
		}
		return ""
	})
}
