package pinyin

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPerson(t *testing.T) {
	tests := []struct{ name, want string }{
		{"张三", "zhang san\x1f张三"},
		{"单晓雨", "shan xiao yu\x1f单晓雨"},
		{"曾国", "zeng guo\x1f曾国"},
		{"仇英", "qiu ying\x1f仇英"},
		{"区明", "ou ming\x1f区明"},
		{"解缙", "xie jin\x1f解缙"},
		{"查良", "zha liang\x1f查良"},
		{"盖叫天", "ge jiao tian\x1f盖叫天"},
		{"任贤", "ren xian\x1f任贤"},
		{"华佗", "hua tuo\x1f华佗"},
		{"朴志", "piao zhi\x1f朴志"},
		{"翟天", "zhai tian\x1f翟天"},
		{"卜世仁", "bu shi ren\x1f卜世仁"},
		{"尉迟恭", "yu chi gong\x1f尉迟恭"},
		{"尉健", "wei jian\x1f尉健"},
		{"万俟卨", "mo qi xie\x1f万俟卨"},
		{"万里", "wan li\x1f万里"},
		{"欧阳修", "ou yang xiu\x1f欧阳修"},
		{"司马光", "si ma guang\x1f司马光"},
		{"令狐冲", "ling hu chong\x1f令狐冲"},
		{"吕绿", "lv lv\x1f吕绿"},
		{"王单", "wang dan\x1f王单"}, // a surname's reading is for the surname alone
		{"单", "shan\x1f单"},
		{" 单雨", "shan yu\x1f 单雨"},
		{"Alice WONG", "alice wong\x1fAlice WONG"},
		{"王Bob 2世", "wang bob 2 shi\x1f王Bob 2世"},
		{"", "\x1f"},
		{strings.Repeat("雨", 67), strings.Repeat("yu ", 66) + "yu\x1f" + strings.Repeat("雨", 66)}, // 402 bytes, less a character
		{strings.Repeat("雨", 66), strings.Repeat("yu ", 65) + "yu\x1f" + strings.Repeat("雨", 66)},
		{"王\xff", "wang \uFFFD\x1f王\uFFFD"},
	}
	for _, tt := range tests {
		if got := Person(tt.name); got != tt.want {
			t.Errorf("Person(%q): got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestText(t *testing.T) {
	tests := []struct{ name, want string }{
		{"单项采购组", "dan xiang cai gou zu\x1f单项采购组"},
		{"项目群-北斗", "xiang mu qun - bei dou\x1f项目群-北斗"},
		{"IT支持 (华东)", "it zhi chi ( hua dong )\x1fIT支持 (华东)"},
		{"四季度专班", "si ji du zhuan ban\x1f四季度专班"},
	}
	for _, tt := range tests {
		if got := Text(tt.name); got != tt.want {
			t.Errorf("Text(%q): got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestAccountName(t *testing.T) {
	tests := []struct{ name, no, want string }{
		{"张三", "001", "zhangsan001"},
		{"单晓雨", "016", "shanxiaoyu016"},
		{"尉迟恭", "9", "yuchigong9"},
		{"阿依古丽·买买提", "020", "ayigulimaimaiti020"},
		{"José Müller", "007", "josemuller007"},
		{"吕布", "030", "lvbu030"},
		{"ＡＢ", "1", "ab1"},
	}
	for _, tt := range tests {
		if got := AccountName(tt.name, tt.no); got != tt.want {
			t.Errorf("AccountName(%q, %q): got %q, want %q", tt.name, tt.no, got, tt.want)
		}
	}
}

func TestOrder(t *testing.T) {
	names := []string{"赵敏", "陈光", "单晓雨", "李丽", "李力", "安娜", "秦朗"}
	want := []string{"安娜", "陈光", "李丽", "李力", "秦朗", "单晓雨", "赵敏"}
	slices.SortFunc(names, func(a, b string) int { return strings.Compare(Person(a), Person(b)) })
	if !slices.Equal(names, want) {
		t.Errorf("got %v, want %v", names, want)
	}
}

func FuzzKey(f *testing.F) {
	f.Add("单晓雨")
	f.Add(strings.Repeat("长", 300))
	f.Add("a" + strings.Repeat("雨", 140))
	f.Add("\xff\x00\x1f")
	f.Fuzz(func(t *testing.T, name string) {
		for _, k := range []string{Person(name), Text(name)} {
			if len(k) > 400 {
				t.Errorf("a key of %d bytes", len(k))
			}
			if !utf8.ValidString(k) {
				t.Errorf("a key that is no UTF-8: %q", k)
			}
		}
		for _, r := range AccountName(name, "") {
			if (r < 'a' || r > 'z') && (r < '0' || r > '9') {
				t.Errorf("%q in an account name", r)
			}
		}
	})
}

func BenchmarkPerson(b *testing.B) {
	for b.Loop() {
		Person("欧阳晓雨")
	}
}

func TestObeys(t *testing.T) {
	for _, c := range []struct {
		account, name, no string
		want              bool
	}{
		{"zhangsan001", "张三", "001", true},
		{"zhangsan002", "张三", "001", false},
		{"shanxiaoyu016", "单晓雨", "016", true},
		{"danxiaoyu016", "单晓雨", "016", true}, // another reading of the character
		{"chanxiaoyu016", "单晓雨", "016", true},
		{"zhangxiaoyu016", "单晓雨", "016", false},
		{"yuchirui031", "尉迟瑞", "031", true},
		{"lvmei1", "吕梅", "1", true},
		{"lyumei1", "吕梅", "1", true},
		{"zhangsan001-2", "张三", "001", true},
		{"zhangsan001-02", "张三", "001", false},
		{"ZhangSan001", "张三", "001", false},
		{"johnsmith7", "John Smith", "7", true},
		{"johnsmit7", "John Smith", "7", false},
		{"7", "☃", "7", true},
		{"", "", "", true},
	} {
		if got := Obeys(c.account, c.name, c.no); got != c.want {
			t.Errorf("%s for %s %s: %v, want %v", c.account, c.name, c.no, got, c.want)
		}
		if own := AccountName(c.name, c.no); !Obeys(own, c.name, c.no) {
			t.Errorf("%s, which the rule gives %s, breaks it", own, c.name)
		}
	}
}
