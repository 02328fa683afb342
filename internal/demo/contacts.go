package demo

import (
	"fmt"

	"github.com/guanxi-im/guanxi/internal/im"
)

// contact is a row of the table of external contacts. Owner is an employee number.
type contact struct {
	workspace, platformID, name, company string
	verified                             bool
	importance                           im.Importance
	owner                                string
	tags                                 []string
	opportunity                          opportunity // none where it has no title
}

// opportunity is business with a contact; open unless won.
type opportunity struct {
	title string
	yuan  int64
	stage string
}

// The stages of opportunities.
const (
	quoted      = "报价"
	negotiating = "谈判"
	won         = "赢单"
)

// namedContacts are those that scenarios and documents speak of: the table of DEMO.md.
var namedContacts = []contact{
	{wecom, "wm_haikang", "周采购", "海康采购", true, im.KeyContact, "004", []string{"重点客户", "华东"}, opportunity{"年度框架", 1_200_000, negotiating}},
	{wecom, "wm_lanhai", "蓝经理", "蓝海贸易", true, im.NormalContact, "004", []string{"华东"}, opportunity{}},
	{wecom, "wm_spam", "某某推广", "", false, im.NormalContact, "004", nil, opportunity{}},
	{wecom, "wm_qinghe", "禾经理", "青禾商贸", true, im.NormalContact, "004", []string{"华东"}, opportunity{}},
	{wecom, "wm_hengda", "恒先生", "恒达物流", true, im.NormalContact, "005", []string{"华东"}, opportunity{"续约", 80_000, quoted}},
	{wecom, "wm_xingyun", "云女士", "星云科技", true, im.KeyContact, "003", []string{"重点客户"}, opportunity{"新项目", 600_000, negotiating}},
	{dingtalk, "dt_maoyi", "茂宜商行", "茂宜商行", true, im.NormalContact, "013", nil, opportunity{}},
}

// How many other contacts there are. Ordinary ones are verified, NORMAL and without opportunity: enough for a bulk
// of 500 that nobody has to review.
const (
	ordinaryWeCom = 540
	specialWeCom  = 53
	otherDingTalk = 100
)

// sellers and agents own the other contacts. Each has an account where his contacts are.
var (
	sellers = []string{"032", "033", "034", "035", "036", "037", "038", "039", "040", "041", "042", "043", "044", "045", "046"}
	agents  = []string{"051", "052", "053", "054", "055", "056", "057", "058"}
)

// firstOfHuanan is the first of sellers who sells in 华南.
const firstOfHuanan = "039"

func otherContacts() []contact {
	var out []contact
	for i := range ordinaryWeCom + specialWeCom + otherDingTalk {
		c := contact{name: contactName(i), company: companyName(i), verified: true, importance: im.NormalContact}
		if i < ordinaryWeCom+specialWeCom {
			c.workspace, c.platformID = wecom, fmt.Sprintf("wm_%04d", i+1)
			c.owner = sellers[i%len(sellers)]
			c.tags = []string{"华东"}
			if c.owner >= firstOfHuanan {
				c.tags = []string{"华南"}
			}
		} else {
			c.workspace, c.platformID = dingtalk, fmt.Sprintf("dt_%04d", i+1-ordinaryWeCom-specialWeCom)
			c.owner = agents[i%len(agents)]
			c.verified = i%10 != 0
		}
		if i >= ordinaryWeCom && c.workspace == wecom {
			yuan := int64(20_000 + i%9*10_000)
			switch i % 3 {
			case 0:
				c.importance = im.KeyContact
				c.tags = append([]string{"重点客户"}, c.tags...)
				c.opportunity = opportunity{"年度采购", yuan * 3, negotiating}
			case 1:
				c.opportunity = opportunity{"首单", yuan, won}
			case 2:
				c.verified = false
			}
		}
		out = append(out, c)
	}
	return out
}

// pooled are the contacts that wait in the pool of 客服部; who owned them follows them still.
var pooled = []string{"dt_0010", "dt_0040", "dt_0070"}

// followSources are the ways in which members came by contacts.
var followSources = []string{"扫描二维码", "搜索手机号", "名片分享"}

var (
	surnames = []rune("赵钱孙李周吴郑王冯陈蒋沈韩杨朱秦许何吕施张孔曹严金魏陶姜谢邹苏潘范彭鲁韦马方袁柳唐薛雷贺倪汤罗毕郝安")
	given    = []string{"建明", "淑珍", "立新", "桂芳", "志刚", "秀兰", "国华", "玉梅", "伟东", "春燕", "少华", "慧敏", "振宇", "小红"}
	brands   = []string{"远航", "金桥", "宏图", "瑞丰", "中禾", "嘉木", "天润", "联创", "博雅", "盛景", "万通", "华澜", "新辰",
		"百川", "东篱", "南岭", "鼎元", "利群", "明远", "长青", "吉泰", "云峰", "海岳", "晨光里", "祥和", "卓立"}
	trades = []string{"贸易", "科技", "物流", "食品", "建材", "服饰", "医疗器械", "电子", "机械", "文化传媒", "餐饮", "家居", "汽配", "包装",
		"化工", "农业", "教育", "酒店", "广告", "印刷", "纺织", "五金", "光电", "环保", "咨询", "旅行社", "装饰"}
)

// contactName and companyName are different for every i that there is.
func contactName(i int) string {
	return string(surnames[i%len(surnames)]) + given[i/len(surnames)%len(given)]
}

func companyName(i int) string {
	return brands[i%len(brands)] + trades[i/len(brands)%len(trades)]
}
