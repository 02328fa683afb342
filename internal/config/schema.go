package config

import (
	"strconv"
	"strings"
)

// Schema is the JSON Schema (2020-12) of the file: of its nested spelling. An empty value is allowed everywhere, as it is there. What a
// value must be beyond its kind, its description says and [Load] checks.
func Schema() map[string]any {
	root := section("The settings of guanxi.", false)
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	properties := root["properties"].(map[string]any)
	for _, s := range settings {
		into, key := properties, s.path
		if name, rest, ok := strings.Cut(s.path, "."); ok {
			if into[name] == nil {
				into[name] = section("", false)
			}
			into, key = into[name].(map[string]any)["properties"].(map[string]any), rest
		}
		into[key] = s.schema()
	}
	option := map[string]any{"type": []string{"string", "number", "boolean", "null"}}
	properties[workspacesKey] = section("How workspaces are connected to their platforms, by name, with the options of the platform's adapter.",
		section("NAME_file names the file that holds the option NAME, as secrets must be given.", option))
	endpoint := section("", false)
	for _, name := range webhookOptions {
		endpoint["properties"].(map[string]any)[name] = option
	}
	endpoint["required"] = []string{"url", "secret_file"}
	hooks := section("Endpoints of other systems, by name.", endpoint)
	hooks["propertyNames"] = map[string]any{"pattern": endpointName.String()}
	properties[webhooksKey] = hooks
	return root
}

// section is a mapping with properties, and with further ones as they are described; false: with none.
func section(description string, further any) map[string]any {
	s := map[string]any{"type": []string{"object", "null"}, "properties": map[string]any{}, "additionalProperties": further}
	if description != "" {
		s["description"] = description
	}
	return s
}

// schema is that of one setting.
func (s setting) schema() map[string]any {
	kind, parse := "string", func(text string) any { return text }
	switch s.field(&Config{}).(type) {
	case *bool:
		kind, parse = "boolean", func(text string) any { return text == "true" }
	case *int:
		kind, parse = "integer", func(text string) any { n, _ := strconv.Atoi(text); return n }
	case *float64:
		kind, parse = "number", func(text string) any { f, _ := strconv.ParseFloat(text, 64); return f }
	}
	out := map[string]any{"type": []string{kind, "null"}, "description": s.usage + " (expected: " + s.expected + ")"}
	if s.fallback != "" {
		out["default"] = parse(s.fallback)
	}
	if s.choices != nil {
		choices := []any{nil}
		for _, c := range s.choices {
			choices = append(choices, c)
		}
		out["enum"] = choices
	}
	return out
}
