package gateway

import (
	"regexp"

	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/guanxi-im/guanxi/internal/fault"
)

// said are the sentences of the parser and the validator, which know English alone, and the catalogue's names of them.
var said = []struct {
	like *regexp.Regexp
	key  string
}{
	{regexp.MustCompile(`(?s)^Cannot query field "(.*)" on type "(.*)"\.$`), "doc_field"},
	{regexp.MustCompile(`(?s)^Field "(.*)" of type "(.*)" must have a selection of subfields\.$`), "doc_fields_missing"},
	{regexp.MustCompile(`(?s)^Field "(.*)" must not have a selection since type "(.*)" has no subfields\.$`), "doc_fields_none"},
	{regexp.MustCompile(`(?s)^Field "(.*)" argument "(.*)" of type "(.*)" is required, but it was not provided\.$`), "doc_argument_missing"},
	{regexp.MustCompile(`(?s)^Directive "@(.*)" argument "(.*)" of type "(.*)" is required, but it was not provided\.$`), "doc_directive_argument_missing"},
	{regexp.MustCompile(`(?s)^Unknown argument "(.*)" on field "(.*)"\.$`), "doc_argument"},
	{regexp.MustCompile(`(?s)^Unknown argument "(.*)" on directive "@(.*)"\.$`), "doc_directive_argument"},
	{regexp.MustCompile(`(?s)^There can be only one argument named "(.*)"\.$`), "doc_argument_twice"},
	{regexp.MustCompile(`(?s)^Field "(.*)" of required type "(.*)" was not provided\.$`), "doc_input_missing"},
	{regexp.MustCompile(`(?s)^Field "(.*)" is not defined by type "(.*)"\.$`), "doc_input"},
	{regexp.MustCompile(`(?s)^There can be only one input field named "(.*)"\.$`), "doc_input_twice"},
	{regexp.MustCompile(`(?s)^Int cannot represent non-integer value: (.*)$`), "doc_int"},
	{regexp.MustCompile(`(?s)^Int cannot represent non 32-bit signed integer value: (.*)$`), "doc_int_large"},
	{regexp.MustCompile(`(?s)^String cannot represent a non string value: (.*)$`), "doc_string"},
	{regexp.MustCompile(`(?s)^Boolean cannot represent a non boolean value: (.*)$`), "doc_boolean"},
	{regexp.MustCompile(`(?s)^ID cannot represent a non-string and non-integer value: (.*)$`), "doc_id"},
	{regexp.MustCompile(`(?s)^Enum "(.*)" cannot represent non-enum value: (.*)\.$`), "doc_enum"},
	{regexp.MustCompile(`(?s)^Value "(.*)" does not exist in "(.*)" enum\.$`), "doc_enum_value"},
	{regexp.MustCompile(`(?s)^Expected value of type "(.*)", found (.*)\.$`), "doc_value"},
	{regexp.MustCompile(`(?s)^Variable "(.*)" of type "(.*)" used in position expecting type "(.*)"\.$`), "doc_variable_type"},
	{regexp.MustCompile(`(?s)^Variable "(.*)" is not defined by operation "(.*)"\.$`), "doc_variable_unknown_in"},
	{regexp.MustCompile(`(?s)^Variable "(.*)" is not defined\.$`), "doc_variable_unknown"},
	{regexp.MustCompile(`(?s)^Variable "(.*)" is never used in operation "(.*)"\.$`), "doc_variable_unused_in"},
	{regexp.MustCompile(`(?s)^Variable "(.*)" is never used\.$`), "doc_variable_unused"},
	{regexp.MustCompile(`(?s)^Variable "(.*)" cannot be non-input type "(.*)"\.$`), "doc_variable_no_input"},
	{regexp.MustCompile(`(?s)^There can be only one variable named "(.*)"\.$`), "doc_variable_twice"},
	{regexp.MustCompile(`(?s)^Unknown type "(.*)"\.$`), "doc_type"},
	{regexp.MustCompile(`(?s)^Unknown directive "@(.*)"\.$`), "doc_directive"},
	{regexp.MustCompile(`(?s)^Directive "@(.*)" may not be used on (.*)\.$`), "doc_directive_place"},
	{regexp.MustCompile(`(?s)^The directive "@(.*)" can only be used once at this location\.$`), "doc_directive_twice"},
	{regexp.MustCompile(`(?s)^Unknown fragment "(.*)"\.$`), "doc_fragment"},
	{regexp.MustCompile(`(?s)^Fragment "(.*)" is never used\.$`), "doc_fragment_unused"},
	{regexp.MustCompile(`(?s)^There can be only one fragment named "(.*)"\.$`), "doc_fragment_twice"},
	{regexp.MustCompile(`(?s)^Cannot spread fragment "(.*)" within itself(.*)\.$`), "doc_fragment_circle"},
	{regexp.MustCompile(`(?s)^Fragment "(.*)" cannot be spread here as objects of type "(.*)" can never be of type "(.*)"\.$`), "doc_fragment_never"},
	{regexp.MustCompile(`(?s)^Fragment cannot be spread here as objects of type "(.*)" can never be of type "(.*)"\.$`), "doc_inline_never"},
	{regexp.MustCompile(`(?s)^Fields "(.*)" conflict because (.*)\. Use different aliases on the fields to fetch both if this was intentional\.$`), "doc_conflict"},
	{regexp.MustCompile(`(?s)^There can be only one operation named "(.*)"\.$`), "doc_operation_twice"},
	{regexp.MustCompile(`^This anonymous operation must be the only defined operation\.$`), "doc_operation_anonymous"},
	{regexp.MustCompile(`^no operation provided$`), "doc_operation_none"},
	{regexp.MustCompile(`(?s)^(.*) must select only one top level field\.$`), "doc_subscription_one"},
	{regexp.MustCompile(`^Maximum introspection depth exceeded$`), "doc_introspection_depth"},
	{regexp.MustCompile(`(?s)^Expected (.*), found (.*)$`), "doc_expected"},
	{regexp.MustCompile(`(?s)^Unexpected (.*)$`), "doc_unexpected"},
	{regexp.MustCompile(`(?s)^expected at least one definition, found (.*)$`), "doc_empty"},
	{regexp.MustCompile(`^exceeded maximum nesting depth of (\d+)$`), "doc_nesting"},
}

// suggests is what the validator adds where it has an idea of what was meant.
var suggests = regexp.MustCompile(`(?s)^(.*?\.) Did you mean (the enum value )?(.*)\?$`)

// reworded says a sentence of the parser or the validator in another language, with its suggestion; one that the catalogue does not
// have stays as it is. Where the fault lies is beside the sentence, in the error's locations.
func reworded(sentence string, l fault.Language) string {
	rest := ""
	if m := suggests.FindStringSubmatch(sentence); m != nil {
		meant := fault.New(fault.ValidationFailed, "doc_suggestion", m[3])
		if m[2] != "" {
			meant.Key = "doc_suggestion_value"
		}
		sentence, rest = m[1], meant.Text(l)
	}
	for _, s := range said {
		if m := s.like.FindStringSubmatch(sentence); m != nil {
			return fault.New(fault.ValidationFailed, s.key, m[1:]...).Text(l) + rest
		}
	}
	return sentence + rest
}

// machinery reports whether an error's sentence is one of the parser or the validator.
func machinery(e *gqlerror.Error) bool {
	code, _ := e.Extensions["code"].(string)
	return code == string(fault.ParseFailed) || code == string(fault.ValidationFailed)
}
