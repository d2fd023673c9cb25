package validate

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"

	"github.com/ringfence/ringfence/drift"
)

// schema is what the API server says of one kind. One that has no structural schema finds nothing.
type schema struct {
	// version is another whenever the API server's schema is.
	version    string
	structural *structural.Structural
	values     validation.SchemaValidator
	rules      *cel.Validator // nil if there are none
}

// check returns what is wrong with an object by its schema, in the order of the fields: unknown fields,
// values (after defaulting), lists that are sets or maps, rules. As there, rules are not tried on an object that is not whole.
// Rules about a change are passed over: what cannot be changed is recreated.
func (s *schema) check(ctx context.Context, w *drift.Wanted) []Fault {
	if s.structural == nil {
		return nil
	}
	var faults []Fault
	object := w.DeepCopy().Object
	unknown := pruning.PruneWithOptions(object, s.structural, true, structural.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
	for _, path := range unknown {
		steps := stepsOf(path)
		faults = append(faults, Fault{Want: w, Path: steps, Message: "unknown field " + path, Hint: s.known(steps)})
	}
	defaulting.Default(object, s.structural)
	wrong := validation.ValidateCustomResource(nil, object, s.values)
	wrong = append(wrong, listtype.ValidateListSetsAndMaps(nil, s.structural, object)...)
	if s.rules != nil && !slices.ContainsFunc(wrong, blocks) {
		broken, _ := s.rules.Validate(ctx, nil, s.structural, object, nil, celconfig.RuntimeCELCostBudget)
		wrong = append(wrong, broken...)
	}
	for _, e := range wrong {
		faults = append(faults, faultOf(w, e))
	}
	slices.SortStableFunc(faults, func(a, b Fault) int { return strings.Compare(fmt.Sprint(a.Path), fmt.Sprint(b.Path)) })
	return faults
}

// known says which fields there are where an unknown one was found.
func (s *schema) known(path []any) string {
	at := s.structural
	for _, step := range path[:len(path)-1] {
		switch step := step.(type) {
		case int:
			at = at.Items
		case string:
			if below, ok := at.Properties[step]; ok {
				at = &below
			} else if at.AdditionalProperties != nil {
				at = at.AdditionalProperties.Structural
			} else {
				return ""
			}
		}
		if at == nil {
			return ""
		}
	}
	names := make([]string, 0, len(at.Properties))
	for name := range at.Properties {
		names = append(names, name)
	}
	if len(names) == 0 {
		return ""
	}
	slices.Sort(names)
	return "the fields here are " + strings.Join(names, ", ")
}

// blocks says whether a fault of values keeps the API server from trying rules.
func blocks(e *field.Error) bool {
	switch e.Type {
	case field.ErrorTypeRequired, field.ErrorTypeTooLong, field.ErrorTypeTooMany, field.ErrorTypeTypeInvalid:
		return true
	}
	return false
}

var wrongType = regexp.MustCompile(`must be of type ([\w,-]+): "(.*)"$`)

// faultOf makes a fault of what the API server's own checks say.
func faultOf(w *drift.Wanted, e *field.Error) Fault {
	f := Fault{Want: w, Path: stepsOf(e.Field)}
	name := e.Field
	if name == "" || name == "<nil>" {
		f.Path, name = nil, w.ID.String()
	}
	f.Hint = explain(w, f.Path)
	value, detail := shown(e.BadValue), strings.TrimPrefix(strings.ReplaceAll(e.Detail, " in body", ""), e.Field+" ")
	mismatch := wrongType.FindStringSubmatch(detail)
	switch {
	case e.Type == field.ErrorTypeRequired:
		f.Message = name + " is required"
	case e.Type == field.ErrorTypeDuplicate:
		f.Message, detail = name+" is there twice", ""
	case e.Type == field.ErrorTypeNotSupported:
		f.Message, f.Hint, detail = name+" cannot be "+value, strings.Replace(detail, "supported values: ", "it may be ", 1), ""
	case mismatch != nil && e.Type == field.ErrorTypeTypeInvalid:
		f.Message, detail = fmt.Sprintf("%s must be of type %s, and is %s", name, strings.ReplaceAll(mismatch[1], ",", " or "), mismatch[2]), ""
	case e.Type == field.ErrorTypeInvalid && value != "":
		f.Message = name + " cannot be " + value
	case e.Type == field.ErrorTypeInvalid:
		f.Message, f.Hint = name, "this is a rule of the kind's own definition"
	default:
		f.Message, detail = name+": "+e.ErrorBody(), ""
	}
	if detail != "" {
		f.Message += ": " + detail
	}
	return f
}

// explain says where a field is described: "" for what is no field of the kind's own.
func explain(w *drift.Wanted, path []any) string {
	if len(path) == 0 || path[0] != "spec" {
		return ""
	}
	fields := []string{w.ID.Kind.Resource}
	for _, step := range path {
		if name, ok := step.(string); ok && !strings.ContainsAny(name, "./ ") {
			fields = append(fields, name)
		}
	}
	return "kubectl explain --api-version=" + w.ID.Kind.GroupVersion().String() + " " + strings.Join(fields, ".")
}

// shown returns a value for a message; "" if it is none that can be shown on a line.
func shown(value any) string {
	switch value := value.(type) {
	case string:
		if value == "" || value == "object" || len(value) > 100 {
			return ""
		}
		return fmt.Sprintf("%q", value)
	case bool, int, int32, int64, float64:
		return fmt.Sprint(value)
	default:
		return ""
	}
}
