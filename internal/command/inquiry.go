package command

import (
	"context"
	"time"

	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/internal/approval"
	"github.com/guanxi-im/guanxi/internal/im"
)

// Inquiry is what an action would be decided by, if it were asked for.
type Inquiry struct {
	Workspace im.Workspace // zero: it is on none
	Request   authz.Request
	Approvers approval.Query // who may agree, where it takes somebody
}

// Inquirer gathers what an action would be decided by: the very facts that the command itself is decided by.
type Inquirer struct {
	Kind im.Kind // of what it can be asked about
	Wish string  // the one fact that says what is asked for (r.obj.To); empty: the action says it all
	// Ask gathers them for an actor at a moment; nil where he does not see the target.
	Ask func(ctx context.Context, actor im.Viewer, target im.ID, wish string, at time.Time) (*Inquiry, error)
}
