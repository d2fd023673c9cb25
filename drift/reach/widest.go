package reach

import "slices"

// Widest leaves out of a list what another connection of it says for more peers: a named namespace's pods where any pod
// outside does the same, a workload where its whole namespace does. It is for messages to people: the rest of the list is
// what the reader would expect from what is left.
func Widest(connections []Connection) []Connection {
	var out []Connection
	for i, c := range connections {
		said := slices.ContainsFunc(connections, func(wider Connection) bool {
			return wider.From.covers(c.From) && wider.To.covers(c.To) && (wider.From != c.From || wider.To != c.To) &&
				portsOfRows(wider.Ports).Contains(portsOfRows(c.Ports)) && c.Reason == wider.Reason
		})
		if !said {
			out = append(out, connections[i])
		}
	}
	return out
}

// covers reports whether a reader takes p to include q.
func (p Place) covers(q Place) bool {
	switch {
	case p == q:
		return true
	case p.Any == "pod":
		return q.Any == "" && q.CIDR == ""
	case p.Namespace == "*":
		return q.Any == "" && q.CIDR == "" && (p.Workload == "*" || p.Workload == q.Workload)
	case p.Any == "address":
		return q.CIDR != ""
	}
	return p.Workload == "*" && p.Namespace == q.Namespace && q.Namespace != ""
}

// portsOfRows returns the set that rows stand for.
func portsOfRows(rows []PortRow) Ports {
	var out Ports
	for _, row := range rows {
		out = out.Union(row.Ports())
	}
	return out
}
