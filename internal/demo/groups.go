package demo

import (
	"fmt"

	"github.com/guanxi-im/guanxi/internal/im"
)

// group is a row of the table of groups. Owner, admins and members are employee numbers, contacts platform ids.
type group struct {
	platformID, workspace, name string
	kind                        im.GroupKind
	owner                       string
	admins, members, contacts   []string
}

// namedGroups are those that scenarios and documents speak of: the table of DEMO.md.
func namedGroups() []group {
	return []group{
		{"grp_beidou", feishu, "项目群-北斗", im.ProjectGroup, "008", []string{"006"}, []string{"008", "006", "015", "007", "016"}, nil},
		{"grp_sales", wecom, "销售部", im.DepartmentGroup, "003", nil, []string{"003", "004", "005"}, nil},
		{"grp_haikang", wecom, "海康采购对接群", im.CustomerGroup, "004", nil, []string{"004", "005"}, []string{"wm_haikang"}},
		{"grp_rd", native, "研发大群", im.DepartmentGroup, "007", []string{"006"}, in("研发部"), nil},
		{"grp_q4", native, "四季度专班", im.ProjectGroup, "003", nil, []string{"003", "002", "004"}, nil},
		{"grp_lunch", native, "午饭群", im.GeneralGroup, "015", nil, []string{"015", "006", "008", "004"}, nil},
	}
}

// otherGroups are of the others among themselves: a named person in one of them would own it, or meet its owner in
// it, and so change what scenarios may expect (C-02).
func otherGroups() []group {
	out := []group{
		{"grp_basketball", native, "篮球社", im.GeneralGroup, "025", nil, []string{"025", "036", "042", "053", "049"}, nil},
		{"grp_reading", native, "读书会", im.GeneralGroup, "060", []string{"026"}, []string{"060", "026", "054", "033"}, nil},
		{"grp_newcomers", native, "新人交流群", im.GeneralGroup, "047", nil, []string{"047", "027", "029", "035", "043", "058"}, nil},
		{"grp_budget", native, "预算编制", im.ProjectGroup, "059", nil, []string{"059", "021", "032", "039", "051"}, nil},
		{"grp_carpool", native, "拼车群", im.GeneralGroup, "019", nil, []string{"019", "030", "037", "052"}, nil},
		{"grp_nanxing", feishu, "项目群-南星", im.ProjectGroup, "021", []string{"026"}, []string{"021", "026", "022", "023", "031"}, nil},
		{"grp_qa", feishu, "测试小组", im.DepartmentGroup, "024", nil, []string{"024", "030", "025"}, nil},
		{"grp_oncall", feishu, "值班群", im.GeneralGroup, "018", nil, []string{"018", "020", "021", "025"}, nil},
		{"grp_design", feishu, "设计评审", im.GeneralGroup, "028", nil, []string{"028", "026", "027", "029"}, nil},
		{"grp_service", dingtalk, "客服一线", im.DepartmentGroup, "051", []string{"054"}, []string{"051", "052", "053", "054", "055"}, nil},
		{"grp_complaints", dingtalk, "投诉升级", im.GeneralGroup, "054", nil, []string{"054", "056", "057", "058"}, nil},
		{"grp_recruiting", dingtalk, "招聘小组", im.DepartmentGroup, "047", nil, []string{"047", "049"}, nil},
		{"grp_huadong", wecom, "华东打单群", im.GeneralGroup, "032", []string{"038"}, []string{"032", "033", "034", "035", "036", "037", "038"}, nil},
		{"grp_huanan", wecom, "华南打单群", im.GeneralGroup, "039", []string{"044"}, []string{"039", "040", "041", "042", "043", "044", "045", "046"}, nil},
		{"grp_contracts", wecom, "合同会审", im.GeneralGroup, "050", nil, []string{"050", "032", "039", "059"}, nil},
		{"grp_jinqiao", wecom, "渠道共建-金桥", im.CollaborationGroup, "034", nil, []string{"034", "035"}, []string{"wm_0003", "wm_0018"}},
	}
	const customers = 8
	for i, c := range otherContacts()[:customers] {
		colleague := sellers[(i+1)%len(sellers)]
		out = append(out, group{
			fmt.Sprintf("grp_customer%02d", i+1), wecom, c.company + "对接群", im.CustomerGroup, c.owner,
			nil, []string{c.owner, colleague}, []string{c.platformID},
		})
	}
	return out
}
