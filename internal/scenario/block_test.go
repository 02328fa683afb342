// Package scenario plays what users do, from outside, on both databases.
package scenario

import (
	"testing"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

const block = `mutation($t:ID!,$w:[ID!],$r:String!,$k:String){block(input:{targetId:$t,kind:BLOCK,workspaceIds:$w,reason:$r,idempotencyKey:$k}){
	results{workspace{name} relationship{id state version enforcement delivery{state} reason} decision{outcome reason rules{name file line} needs{role count given candidates{accountName}}} approval{id state}}
	decision{id outcome} approval{id} userErrors{code message path workspace{name} decision{rules{name}}}}}`

func TestBlockOnNative(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		s := testkit.Demo(t, dsn)
		wang := s.As("wangfang004")
		target, native := wang.Member("liqiang005"), wang.Workspace("native")
		a := wang.Do(block, map[string]any{"t": target, "w": []string{native}, "r": "太多消息"})
		if got := a.Text("block.results.0.relationship.state"); got != "ACTIVE" {
			t.Fatalf("state %q: %s", got, a.Body)
		}
		if got := a.Text("block.results.0.relationship.reason"); got != "太多消息" {
			t.Errorf("reason %q", got)
		}
	})
}
