package approval

import (
	"context"

	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
)

// Query asks who may speak for which role.
type Query struct {
	// Roles maps each role that is asked for to the directory roles that imply it; terms worked out from the facts
	// map to nothing.
	Roles       map[string][]string
	RequesterID im.ID    // never an approver
	InitiatorID im.ID    // never an approver
	TargetID    im.ID    // never an approver; nor is his manager, but where a term names him
	BesideID    im.ID    // as TargetID, of what concerns two; zero: there is no other
	OwnerID     im.ID    // of the contact: for owner_dept_manager
	GroupID     im.ID    // for group_owner
	WorkspaceID im.ID    // whoever is not active there is no approver; zero: nor is who is active nowhere
	Managers    []string // the directory roles that imply dept_manager: for owner_dept_manager
	Only        []im.ID  // not empty: only these people
	InAnyPlace  []string // roles whose people may speak for whichever role is asked for
	Limit       int      // people for each role
}

// Matter is what an approval is about, as the use-case that asked for it knows it: approvals are given and refused in
// one place, and carried out where they came from.
type Matter interface {
	// Place is where it is, how the one who decides stands there, and what the trail calls it.
	Place() (w im.Workspace, standing, name string)
	// Approvers asks who may agree.
	Approvers() Query
	// Made is whom the term as_made stands for.
	Made() []im.Need
	// Bind is what was asked for as it stands now: an approval holds for what it was asked for alone.
	Bind() []byte
	// Again asks policy anew, on the facts of this moment and with the requester's rights of this moment. Faults, where it cannot be
	// done any more so that the approval is cancelled: INVALID_INPUT, NOT_FOUND, UNSUPPORTED_BY_PLATFORM.
	Again(ctx context.Context) (im.Decision, error)
	// CarryOut does what was agreed to. Where again refuses, or nothing is there any more to be done, it leaves it.
	CarryOut(u *ledger.Unit, a im.Approval, again im.Decision)
	// Drop is what comes of it when it is not agreed to; withdrawn: because the one who asked took it back.
	Drop(u *ledger.Unit, a im.Approval, withdrawn bool)
}

// Opener reads what an approval is about; nil where that is gone.
type Opener func(ctx context.Context, v im.Viewer, a im.Approval) (Matter, error)
