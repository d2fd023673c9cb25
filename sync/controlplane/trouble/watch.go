package trouble

import (
	"context"
	"io"
	"net/http"
	"time"
)

// watch passes a watch on, piece by piece.
func (p *Proxy) watch(w http.ResponseWriter, r *http.Request, f fate, cut <-chan struct{}) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	answer, err := p.next.RoundTrip(p.request(ctx, r, http.NoBody))
	if err != nil {
		abort()
	}
	defer answer.Body.Close()
	head(w, answer)
	w.WriteHeader(answer.StatusCode)
	flush := http.NewResponseController(w).Flush
	_ = flush()

	pieces := make(chan []byte)
	go read(ctx, answer.Body, pieces)
	var over <-chan time.Time // when the fault happens if nothing is told before
	left := -1                // pieces until it happens
	if f.fault == Cut || f.fault == Stall {
		over, left = time.After(f.within(cutMost)), f.dice.IntN(4)
	}
	for {
		select {
		case <-ctx.Done():
			abort()
		case <-cut:
			abort()
		case <-over:
			p.fail(ctx, w, f, nil)
		case piece, ok := <-pieces:
			if !ok {
				return // it ended in order
			}
			if left == 0 {
				p.fail(ctx, w, f, piece)
			}
			left--
			if _, err := w.Write(piece); err != nil || flush() != nil {
				abort()
			}
		}
	}
}

// fail ends a watch in the middle of a piece, or after a silence.
func (p *Proxy) fail(ctx context.Context, w http.ResponseWriter, f fate, piece []byte) {
	if f.fault == Stall {
		sleep(ctx, f.within(stallMost))
		abort()
	}
	_, _ = w.Write(piece[:len(piece)/2])
	_ = http.NewResponseController(w).Flush()
	abort()
}

// read hands over what comes until it ends.
func read(ctx context.Context, from io.Reader, to chan<- []byte) {
	defer close(to)
	for {
		piece := make([]byte, 32<<10)
		n, err := from.Read(piece)
		if n > 0 {
			select {
			case to <- piece[:n]:
			case <-ctx.Done():
				return
			}
		}
		if err != nil {
			return
		}
	}
}
