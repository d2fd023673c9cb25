package felix

import (
	"pgregory.net/rapid"
)

// drawSelector makes a selector of Calico's language over the labels of pods and network sets.
func drawSelector(t *rapid.T, depth int) string {
	return selectorOver(t, depth, []string{
		"app", "role", "app", "role", "app", "role", "projectcalico.org/namespace", "projectcalico.org/orchestrator",
		"projectcalico.org/serviceaccount", "pcns.app", "pcsa.app", "pcns.projectcalico.org/name",
	})
}

// drawNamespaces makes one over the labels of namespaces, and drawAccounts over those of service accounts.
func drawNamespaces(t *rapid.T) string {
	return selectorOver(t, 1, []string{"app", "role", "projectcalico.org/name", "kubernetes.io/metadata.name"})
}

func drawAccounts(t *rapid.T) string {
	return selectorOver(t, 1, []string{"app", "role", "projectcalico.org/name"})
}

func selectorOver(t *rapid.T, depth int, keys []string) string {
	key := oneOf(t, "key", keys...)
	value := oneOf(t, "value", "a", "b", "ab", "x", "k8s", "robot")
	kind := between(t, "selector", 0, 12)
	if depth == 0 && kind > 9 {
		kind = 2
	}
	switch kind {
	case 0:
		return oneOf(t, "all", "all()", "all()", "all()", "all( )", " all()", "global()")
	case 1:
		return "has(" + key + ")"
	case 2, 3:
		return key + " == '" + value + "'"
	case 4:
		return key + ` != "` + value + `"`
	case 5:
		return key + " in {'" + value + "', 'zz'}"
	case 6:
		return key + oneOf(t, "not in", " not in", " notin") + " {'" + value + "'}"
	case 7:
		return key + " starts with '" + value + "'"
	case 8:
		return key + " contains 'b'"
	case 9:
		return key + " ends with 'b'"
	case 10:
		return "!(" + selectorOver(t, depth-1, keys) + ")"
	case 11:
		return selectorOver(t, depth-1, keys) + " || " + selectorOver(t, depth-1, keys)
	}
	return selectorOver(t, depth-1, keys) + " && " + selectorOver(t, depth-1, keys)
}

// drawKube makes a Kubernetes label selector.
func drawKube(t *rapid.T, keys ...string) dict {
	key, value := oneOf(t, "key", keys...), oneOf(t, "value", "a", "b", "x")
	expression := func(operator string, values ...any) dict {
		e := dict{"key": key, "operator": operator}
		set(e, "values", values)
		return dict{"matchExpressions": []any{e}}
	}
	switch between(t, "kube selector", 0, 5) {
	case 0:
		return dict{}
	case 1:
		return expression("Exists")
	case 2:
		return expression("DoesNotExist")
	case 3:
		return expression("NotIn", value)
	case 4:
		return expression("In", value, "zz")
	}
	return dict{"matchLabels": dict{key: value, oneOf(t, "second key", keys...): oneOf(t, "second value", "a", "b")}}
}

func drawPods(t *rapid.T) dict { return drawKube(t, keys...) }

func drawKubeNamespaces(t *rapid.T) dict {
	return drawKube(t, "app", "role", "kubernetes.io/metadata.name")
}
