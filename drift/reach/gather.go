package reach

import (
	"fmt"
	"slices"
	"strings"
)

// Gather joins connections that differ in their CIDR alone into one whose CIDR is a text for people: "internet", "any
// address but 169.254.169.254/32", or the ranges. The result is for printing, not for computing.
func Gather(connections []Connection) []Connection {
	type key struct {
		other    Place
		outbound bool
		ports    string
		reason   string
	}
	gathered := map[key]*Addresses{}
	at := map[key]int{}
	var out []Connection
	for _, c := range connections {
		k := key{c.From, true, portsOfRows(c.Ports).key(), c.Reason}
		text := c.To.CIDR
		if c.From.CIDR != "" {
			k.other, k.outbound, text = c.To, false, c.From.CIDR
		}
		addresses, err := ParseAddresses(text)
		if text == "" || err != nil {
			out = append(out, c)
			continue
		}
		if gathered[k] == nil {
			gathered[k], at[k] = &Addresses{}, len(out)
			out = append(out, c)
		}
		*gathered[k] = gathered[k].Union(addresses)
	}
	for k, addresses := range gathered {
		place := Place{CIDR: addresses.Words()}
		if k.outbound {
			out[at[k]].To = place
		} else {
			out[at[k]].From = place
		}
	}
	return out
}

// Words says the set for people: "any address", "internet" (see Internet), its ranges, or "any address but" the ranges
// that are missing where those are fewer; of many ranges the first and their number.
func (a Addresses) Words() string {
	switch {
	case a.Equal(AllAddresses()):
		return "any address"
	case a.Equal(Internet()):
		return "internet"
	case a.Equal(Internet().family(4)):
		return "internet (IPv4)"
	case a.Equal(Internet().family(6)):
		return "internet (IPv6)"
	}
	ranges, rest := a.Prefixes(), AllAddresses().Minus(a).Prefixes()
	if len(rest) < len(ranges) {
		return "any address but " + rangesInWords(rest)
	}
	return rangesInWords(ranges)
}

func rangesInWords[P fmt.Stringer](ranges []P) string {
	const most = 6
	texts := make([]string, 0, most)
	for _, r := range ranges[:min(len(ranges), most)] {
		texts = append(texts, r.String())
	}
	text := strings.Join(slices.Clip(texts), ", ")
	if more := len(ranges) - most; more > 0 {
		text += fmt.Sprintf(" and %d more ranges", more)
	}
	return text
}
