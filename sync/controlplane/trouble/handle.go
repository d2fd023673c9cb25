package trouble

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"
	"time"
)

const (
	delayMost = 400 * time.Millisecond // of a request
	stallMost = 3 * time.Second        // of a watch
	cutMost   = 2 * time.Second        // until a watch is cut whatever it tells
)

func (p *Proxy) handle(w http.ResponseWriter, r *http.Request) {
	f, cut := p.draw(r)
	switch f.fault {
	case Delay:
		if !sleep(r.Context(), f.within(delayMost)) {
			abort()
		}
	case Drop:
		abort()
	case Hangup:
		if c, ok := r.Context().Value(connKey{}).(net.Conn); ok {
			_ = c.Close()
		}
		abort()
	case Conflict, TooMany, Internal, Unavailable, Expired:
		refuse(w, f)
		return
	}
	if classOf(r) == watching {
		p.watch(w, r, f, cut)
		return
	}
	p.pass(w, r, f)
}

// abort ends a request without an answer.
func abort() { panic(http.ErrAbortHandler) }

// refuse answers in the API server's place.
func refuse(w http.ResponseWriter, f fate) {
	s, details := statuses[f.fault], ""
	w.Header().Set("Content-Type", "application/json")
	if f.fault == TooMany {
		after := f.dice.IntN(2)
		w.Header().Set("Retry-After", strconv.Itoa(after))
		details = fmt.Sprintf(`,"details":{"retryAfterSeconds":%d}`, after)
	}
	w.WriteHeader(s.code)
	fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":%q,"message":"trouble on the way","code":%d%s}`, s.reason, s.code, details)
}

// request returns the request as it goes to the API server.
func (p *Proxy) request(ctx context.Context, r *http.Request, body io.Reader) *http.Request {
	out := r.Clone(ctx)
	out.URL.Scheme, out.URL.Host, out.Host, out.RequestURI = p.target.Scheme, p.target.Host, "", ""
	out.Header.Del("Accept-Encoding") // the transport asks for what it can undo
	out.Body = io.NopCloser(body)
	return out
}

// pass does what is asked, to the end: the API server would not stop either.
func (p *Proxy) pass(w http.ResponseWriter, r *http.Request, f fate) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		abort() // the client is gone before it has said all
	}
	answer, err := p.next.RoundTrip(p.request(context.WithoutCancel(r.Context()), r, bytes.NewReader(body)))
	if err != nil {
		abort()
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		abort()
	}
	if p.config.Seen != nil {
		p.config.Seen(Answer{Method: r.Method, Path: r.URL.Path, Code: answer.StatusCode, Body: text})
	}
	switch f.fault {
	case Lost:
		abort()
	case Late:
		refuse(w, f)
		return
	}
	head(w, answer)
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(answer.StatusCode)
	if f.fault == Half {
		_, _ = w.Write(text[:len(text)/2])
		_ = http.NewResponseController(w).Flush()
		abort()
	}
	_, _ = w.Write(text)
}

func head(w http.ResponseWriter, answer *http.Response) {
	maps.Copy(w.Header(), answer.Header)
	w.Header().Del("Content-Length")
	w.Header().Del("Connection")
}

// sleep waits and answers whether it did, false if ctx was done first.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
