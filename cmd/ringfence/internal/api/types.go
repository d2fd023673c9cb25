package api

import (
	"time"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/reach"
	"github.com/ringfence/ringfence/sync"
)

// The paths of the API. A tenant's own answer is at Tenants and its name.
const (
	StatusPath   = "/api/v1/status"
	TenantsPath  = "/api/v1/tenants"
	DriftPath    = "/api/v1/drift"
	UnfencedPath = "/api/v1/unfenced"
)

// Status is the answer of StatusPath: what is known as a whole. The fields of all answers are a contract (SPEC §5).
type Status struct {
	Instance  string             `json:"instance"`
	Leader    bool               `json:"leader"`
	Ready     bool               `json:"ready"`
	Revision  string             `json:"revision"`
	Waiting   string             `json:"waiting"`
	PruneHeld string             `json:"pruneHeld"`
	Held      []Held             `json:"held"`
	Source    Source             `json:"source"`
	Tenants   map[sync.State]int `json:"tenants"`
	Refused   []Error            `json:"refused"`
	Blind     []string           `json:"blind"`
	Enforcer  Enforcer           `json:"enforcer"`
}

// Enforcer is what enforces policies.
type Enforcer struct {
	Engine  string `json:"engine"`  // none: nothing that is known; unknown: it cannot be seen
	Version string `json:"version"` // of its image; "" where that does not say
	Ready   int    `json:"ready"`   // on so many nodes
	Missing int    `json:"missing"` // on so many nodes it should be ready and is not
}

// Held is a revision, or what is left to be done of one, that is held back.
type Held struct {
	Reason   string     `json:"reason"` // freeze or prune
	Revision string     `json:"revision"`
	Until    *time.Time `json:"until"`
	Tenants  []string   `json:"tenants"` // freeze: that it touches; prune: that it would quarantine
	Objects  []string   `json:"objects"` // prune: that it would remove from tenants that stay
	Message  string     `json:"message"`
}

// Source is what the last poll of Git found.
type Source struct {
	URL      string     `json:"url"`
	Ref      string     `json:"ref"`
	Revision string     `json:"revision"`
	Checked  *time.Time `json:"checked"`
	Refused  *Refused   `json:"refused"`
	Error    string     `json:"error"`
}

// Refused is a revision that is not taken.
type Refused struct {
	Revision string `json:"revision"`
	Reason   string `json:"reason"`
}

// Tenant is one row of the answer of TenantsPath.
type Tenant struct {
	Name      string     `json:"name"`
	Namespace string     `json:"namespace"`
	Overlay   string     `json:"overlay"`
	State     sync.State `json:"state"`
	Revision  Revision   `json:"revision"`
	Objects   int        `json:"objects"`
	Drift     int        `json:"drift"`
	Error     *Error     `json:"error"`
	Errors    []Error    `json:"errors"`
	Until     *time.Time `json:"until"`
	Reason    string     `json:"reason"` // why it is in its state, where errors do not say it
	Rounds    []Round    `json:"rounds"`
}

// Round is one pass over a tenant that changed something or failed.
type Round struct {
	Time     time.Time `json:"time"`
	Seconds  float64   `json:"seconds"` // how long it took
	Revision string    `json:"revision"`
	Why      string    `json:"why"` // revision, drift or retry
	Created  int       `json:"created"`
	Updated  int       `json:"updated"`
	Removed  int       `json:"removed"`
	Failed   int       `json:"failed"`
	Objects  []string  `json:"objects"` // at most 20
	Error    string    `json:"error"`
	Tries    int       `json:"tries"`
}

// Revision is where a tenant stands and where it should.
type Revision struct {
	Applied string `json:"applied"`
	Wanted  string `json:"wanted"`
}

// Error is one fault, with its place in the repository if it has one.
type Error struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Message string `json:"message"`
	Hint    string `json:"hint"`
}

// Difference is one row of the answer of DriftPath.
type Difference struct {
	Tenant     string         `json:"tenant"`
	APIVersion string         `json:"apiVersion"`
	Kind       string         `json:"kind"`
	Namespace  string         `json:"namespace"`
	Name       string         `json:"name"`
	Type       drift.Type     `json:"type"`
	Effect     drift.Effect   `json:"effect"`
	Since      time.Time      `json:"since"`
	Fields     []drift.Field  `json:"fields"`
	Managers   []drift.Writer `json:"managers"`
	Origin     *Origin        `json:"origin"`
	Corrected  *time.Time     `json:"corrected"`
	Held       *drift.Hold    `json:"held"`
	Exposure   []Exposure     `json:"exposure"`
	Reason     string         `json:"reason"`   // why it is held, where somebody has said it
	SpecHash   string         `json:"specHash"` // of the live object, for drift.ignore
}

// Exposure is a connection that a difference opens or closes.
type Exposure struct {
	Effect drift.Effect    `json:"effect"` // opens, closes or unknown
	From   reach.Place     `json:"from"`
	To     reach.Place     `json:"to"`
	Ports  []reach.PortRow `json:"ports"`
}

// Origin is where Git says what differs.
type Origin struct {
	File     string `json:"file"`
	Line     int    `json:"line"`
	Revision string `json:"revision"`
}
