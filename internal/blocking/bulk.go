package blocking

import (
	"context"
	"encoding/hex"
	"slices"
	"strconv"

	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
)

// ManyMax bounds the wishes of one bulk.
const ManyMax = 100

// Many is what came of a bulk: one result for each wish in their order, or none where the whole was refused.
type Many struct {
	Rows  []Result
	Whole Result // what policy said of the bulk as a whole, on each workspace that it touches
}

// BlockMany carries wishes out one after the other, once the bulk as a whole is allowed on every workspace that it touches. Each row
// is a command of its own, so that one which is refused keeps no other back, and a bulk that is asked for again with its key
// goes on where it stopped. With dry nothing is written but what was asked.
func (s *Service) BlockMany(ctx context.Context, c Call, in []BlockInput, dry bool) (out Many, err error) {
	refuse := func(f *fault.Error) (Many, error) { return Many{Whole: Result{Faults: []*fault.Error{f}}}, nil }
	if len(in) > ManyMax {
		return refuse(fault.Input("inputs", "too_many", strconv.Itoa(ManyMax), strconv.Itoa(len(in))))
	}
	if len(in) == 0 {
		return refuse(fault.Input("inputs", "bulk_empty"))
	}
	if f := fault.CheckKey(c.Key); f != nil {
		return refuse(f)
	}
	if c.Viewer.IsService() {
		out.Whole, _, err = s.persons(ctx, c, actionOf(in[0].Kind), in[0].Target)
		return out, err
	}
	rows := make([]wished, len(in))
	for i := range in {
		in[i].bulk, in[i].Source = authz.BulkPlain, im.FromBulk
		if rows[i], err = s.wish(ctx, c, in[i]); err != nil {
			return out, err
		}
	}
	whole := func(ctx context.Context) (Result, ledger.Unit, error) { return s.bulk(ctx, c, in, rows) }
	if dry {
		out.Whole, _, err = whole(ctx)
	} else {
		out.Whole, err = s.run(ctx, "block_many", c, in, whole)
	}
	if err != nil || len(out.Whole.Faults) > 0 {
		return out, err
	}
	key := c.Key
	for i := range in {
		res := rows[i].previewed()
		if !dry {
			if key != "" { // of its own, which no caller can have given
				c.Key = hex.EncodeToString(s.store.Fingerprint([]byte("bulk " + key + " " + strconv.Itoa(i))))
			}
			if res, err = s.Block(ctx, c, in[i]); err != nil {
				return out, err
			}
		}
		out.Rows = append(out.Rows, res)
	}
	return out, nil
}

// bulk decides on a bulk as a whole, on each workspace that its rows touch and for each kind that they are of.
func (s *Service) bulk(ctx context.Context, c Call, in []BlockInput, rows []wished) (res Result, u ledger.Unit, err error) {
	type part struct {
		workspace im.ID
		kind      im.RelationshipKind
	}
	var parts []part
	places, count := map[part]Place{}, map[part]int{}
	for i, row := range rows {
		for _, p := range row.facts.Places {
			if len(in[i].WorkspaceIDs) > 0 && !slices.Contains(in[i].WorkspaceIDs, p.Workspace.ID) {
				continue
			}
			at := part{p.Workspace.ID, in[i].Kind}
			if count[at]++; count[at] == 1 {
				parts, places[at] = append(parts, at), p
			}
		}
	}
	for _, at := range parts {
		p := places[at]
		if s.o.Platforms.NoBulk(p.Workspace) {
			f := fault.New(fault.Unsupported, "unsupported_bulk")
			f.Workspace = p.Workspace.ID
			res.Faults = append(res.Faults, f)
			continue
		}
		q := question{action: authz.ActionBulk, viewer: c.Viewer, standing: p.Standing, workspace: p.Workspace,
			target: im.Ref{Kind: im.KindWorkspace, ID: p.Workspace.ID}, object: authz.Object{Type: authz.TypeBulk, Kind: string(at.kind), Rows: count[at]}}
		for i, row := range rows {
			if in[i].Kind == im.Blacklist && at.kind == im.Blacklist {
				q.lastHour = row.facts.Blacklistings + count[at]
			}
		}
		d, err := s.decide(ctx, q)
		if err != nil {
			return res, u, err
		}
		u.Decisions = append(u.Decisions, d)
		u.Events = append(u.Events, s.event(c, authz.ActionBulk, d, q.target, p.Workspace.Name, im.Company, ""))
		res.Parts = append(res.Parts, Part{WorkspaceID: p.Workspace.ID, Decision: d, Kind: at.kind})
		switch d.Outcome {
		case im.Deny:
			res.Faults = append(res.Faults, denied(d))
		case im.Review: // there is no way yet to keep a bulk until people have agreed
			res.Faults = append(res.Faults, on(p.Workspace.ID, d, fault.New(fault.ApprovalRequired, "bulk_review")))
		}
	}
	return res, u, nil
}
