package sheet_test

import (
	"testing"

	"github.com/guanxi-im/guanxi/internal/sheet"
)

func TestInert(t *testing.T) {
	for in, want := range map[string]string{
		"":                       "",
		"蓝经理":                    "蓝经理",
		"a=b":                    "a=b",
		"<script>":               "<script>", // text in a cell; what shows HTML escapes it
		"=cmd|' /C calc'!A0":     "'=cmd|' /C calc'!A0",
		"+86 138":                "'+86 138",
		"-1":                     "'-1",
		"@SUM(A1)":               "'@SUM(A1)",
		"|calc":                  "'|calc",
		"＝1+1":                   "'＝1+1",
		"  =1+1":                 "'  =1+1",
		"\u00a0=1":               "'\u00a0=1",
		"\t1":                    "'\t1",
		"\r\n=1":                 "'\r\n=1",
		"\n":                     "'\n",
		"it's":                   "it's",
		"中文 = text that goes on": "中文 = text that goes on",
	} {
		if got := sheet.Inert(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
