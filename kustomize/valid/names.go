package valid

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

const (
	label     = `[a-z0-9]([-a-z0-9]*[a-z0-9])?`
	subdomain = label + `(\.` + label + `)*`

	maxName        = validation.DNS1123SubdomainMaxLength
	maxTierName    = validation.DNS1123LabelMaxLength // it is also the value of a label
	maxAnnotations = 256 << 10                        // bytes, keys and values together

	defaultTier = "default"
)

var (
	isLabel     = regexp.MustCompile(`^` + label + `$`)
	isSubdomain = regexp.MustCompile(`^` + subdomain + `$`)
	// A policy's name may have its tier before a dot; those that Calico makes
	// from others' policies have more.
	isPolicy = regexp.MustCompile(`^(` + label + `\.)?` + label + `$`)
	isMirror = regexp.MustCompile(`^(knp|ossg)\.default\.` + subdomain + `$`)
)

// mirrored are the beginnings of names whose tier is not what is before the dot.
var mirrored = []string{"knp.default.", "kanp.adminnetworkpolicy.", "kbanp.baselineadminnetworkpolicy.", "ossg."}

func (k *checks) name(name string) {
	at := path{"metadata", "name"}
	if len(name) > maxName {
		k.add(at, "has %d bytes, and may have %d", len(name), maxName)
	}
	if !isSubdomain.MatchString(name) {
		k.add(at, "is %q, and must be of lower-case letters, digits, - and .", name)
	}
}

// policyName checks the name of a tiered policy.
func (k *checks) policyName(name, tier string, namespaced bool) {
	k.name(name)
	at := path{"metadata", "name"}
	if isSubdomain.MatchString(name) && !isPolicy.MatchString(name) && (!namespaced || !isMirror.MatchString(name)) {
		k.add(at, "is %q, and may have one dot, after the name of a tier", name)
	}
	if tier == "" {
		tier = defaultTier
	} else if !isSubdomain.MatchString(tier) {
		k.add(path{"spec", "tier"}, "is %q, which is no name", tier)
	}
	for _, beginning := range mirrored {
		if strings.HasPrefix(name, beginning) {
			return
		}
	}
	prefix, _, dotted := strings.Cut(name, ".")
	switch {
	case dotted && prefix != tier:
		k.add(at, "is %q, which puts the policy into the tier %q, and its spec.tier is %q", name, prefix, tier)
	case !dotted && tier != defaultTier && k.config.TierPrefix:
		k.add(at, "is %q, and in the tier %q Calico up to 3.31 takes %q only", name, tier, tier+"."+name)
	}
}

// metadata checks labels and annotations.
func (k *checks) metadata(at path, labels, annotations map[string]string) {
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		value := labels[key]
		if errs := validation.IsQualifiedName(key); len(errs) > 0 {
			k.add(at.at("labels", key), "is no key of a label: %s", errs[0])
		}
		if errs := validation.IsValidLabelValue(value); len(errs) > 0 {
			k.add(at.at("labels", key), "is %q, which is no value of a label: %s", value, errs[0])
		}
	}
	size := 0
	for _, key := range slices.Sorted(maps.Keys(annotations)) {
		value := annotations[key]
		size += len(key) + len(value)
		if errs := validation.IsQualifiedName(strings.ToLower(key)); len(errs) > 0 {
			k.add(at.at("annotations", key), "is no key of an annotation: %s", errs[0])
		}
	}
	if size > maxAnnotations {
		k.add(at.at("annotations"), "have %d bytes together, and may have %d", size, maxAnnotations)
	}
}
