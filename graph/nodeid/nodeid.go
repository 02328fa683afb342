// Package nodeid is the ids that clients see: opaque, with a prefix that names the type.
package nodeid

import (
	"encoding/base32"
	"strings"

	"github.com/guanxi-im/guanxi/internal/im"
)

var prefixes = map[im.Kind]string{
	im.KindMember:       "mem_",
	im.KindContact:      "con_",
	im.KindDepartment:   "dep_",
	im.KindGroup:        "grp_",
	im.KindAccount:      "acc_",
	im.KindWorkspace:    "wsp_",
	im.KindRelationship: "rel_",
	im.KindDecision:     "dec_",
	im.KindRule:         "rul_",
	im.KindApproval:     "apr_",
	im.KindAudit:        "aud_",
	im.KindAlert:        "alr_",
	im.KindOpportunity:  "opp_",
	im.KindAPIKey:       "key_",
	im.KindMessage:      "msg_",
	im.KindConversation: "cnv_",
	im.KindImport:       "imp_",
	im.KindImportRow:    "row_",
	im.KindIdentity:     "idn_",
	im.KindDevice:       "dev_",
	im.KindMembership:   "gmb_",
}

var kinds = func() map[string]im.Kind {
	m := make(map[string]im.Kind, len(prefixes))
	for k, p := range prefixes {
		m[p] = k
	}
	return m
}()

const prefixSize = 4

// encoding keeps the order of the bytes and holds no letter that is easily taken for another.
var encoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

const size = prefixSize + 26 // 16 bytes in base 32

// Encode makes the id that clients see; empty for the zero id.
func Encode(k im.Kind, id im.ID) string {
	if id.IsZero() {
		return ""
	}
	return prefixes[k] + encoding.EncodeToString(id[:])
}

// Of is Encode of a reference.
func Of(r im.Ref) string { return Encode(r.Kind, r.ID) }

// Decode reads what Encode wrote.
func Decode(s string) (im.Ref, bool) {
	if len(s) != size {
		return im.Ref{}, false
	}
	kind, ok := kinds[s[:prefixSize]]
	if !ok {
		return im.Ref{}, false
	}
	var id im.ID
	if n, err := encoding.Decode(id[:], []byte(s[prefixSize:])); err != nil || n != len(id) || strings.ContainsAny(s[prefixSize:], "\r\n") {
		return im.Ref{}, false
	}
	return im.Ref{Kind: kind, ID: id}, !id.IsZero()
}
