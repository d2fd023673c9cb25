package trouble

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"
)

// Fault is one way in which a request can go wrong.
type Fault string

// The faults. Those with a number are answers with that status that the API server never
// gave; the request has not reached it.
const (
	// Delay lets a request wait before it is passed on.
	Delay Fault = "delay"
	// Drop ends a request that the API server has not seen.
	Drop Fault = "drop"
	// Hangup ends the connection, and so every request and watch on it.
	Hangup Fault = "hangup"
	// Lost ends a request that the API server has done: no answer comes.
	Lost Fault = "lost"
	// Late is a timeout, 504, as the answer to what the API server has done.
	Late Fault = "late"
	// Half ends an answer in the middle.
	Half Fault = "half"
	// Conflict is 409.
	Conflict Fault = "409"
	// TooMany is 429, with a Retry-After of a second or none.
	TooMany Fault = "429"
	// Internal is 500.
	Internal Fault = "500"
	// Unavailable is 503.
	Unavailable Fault = "503"
	// Expired is 410: the version to watch from is too old.
	Expired Fault = "410"
	// Cut ends a watch in the middle of an event, or in the middle of silence.
	Cut Fault = "cut"
	// Stall lets a watch fall silent for a while, and then ends it.
	Stall Fault = "stall"
)

// Faults returns all of them.
func Faults() []Fault {
	return []Fault{Delay, Drop, Hangup, Lost, Late, Half, Conflict, TooMany, Internal, Unavailable, Expired, Cut, Stall}
}

// statuses are the reasons and codes that the faults with numbers are answered with.
var statuses = map[Fault]struct {
	code   int
	reason string
}{
	Conflict: {http.StatusConflict, "Conflict"}, TooMany: {http.StatusTooManyRequests, "TooManyRequests"},
	Internal: {http.StatusInternalServerError, "InternalError"}, Unavailable: {http.StatusServiceUnavailable, "ServiceUnavailable"},
	Expired: {http.StatusGone, "Expired"}, Late: {http.StatusGatewayTimeout, "Timeout"},
}

// Weather is how likely each fault is to meet a request that it can meet, from 0 to 1; all
// together no more than 1. The zero value is calm.
type Weather map[Fault]float64

// class is what matters of a request.
type class int

const (
	reading class = iota
	writing
	watching
)

func classOf(r *http.Request) class {
	q := r.URL.Query()
	switch {
	case q.Get("watch") == "true" || q.Get("watch") == "1":
		return watching
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		return reading
	}
	return writing
}

// meets says whether a fault can meet requests of a class.
func (f Fault) meets(c class) bool {
	switch f {
	case Expired, Cut, Stall:
		return c == watching
	case Conflict:
		return c == writing
	case Lost, Late, Half:
		return c != watching
	}
	return true
}

// fate is what becomes of one request.
type fate struct {
	fault Fault // "" for none
	dice  *rand.Rand
}

// decide draws the fate of the nth request of a verb and path.
func decide(seed uint64, w Weather, r *http.Request, n uint64) fate {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s %s %d", r.Method, r.URL.Path, classOf(r))
	_ = binary.Write(h, binary.LittleEndian, n)
	out := fate{dice: rand.New(rand.NewPCG(seed, h.Sum64()))}
	draw := out.dice.Float64()
	for _, f := range slices.DeleteFunc(Faults(), func(f Fault) bool { return !f.meets(classOf(r)) }) {
		if draw -= w[f]; draw < 0 {
			out.fault = f
			break
		}
	}
	return out
}

// within draws a pause of at most d.
func (f fate) within(d time.Duration) time.Duration { return time.Duration(f.dice.Int64N(int64(d))) }
