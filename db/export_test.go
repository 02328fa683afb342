package db

import (
	"context"
	"strings"
)

// Plans is how the database would work off what read reads from the store, a text for each statement. The store must not be used
// by others meanwhile.
func (s *Store) Plans(read func() error) (plans []string, err error) {
	p := &planner{engine: s.eng}
	s.eng = p
	defer func() { s.eng = p.engine }()
	err = read()
	return p.plans, err
}

// planner asks how what is read would be read, and then reads it.
type planner struct {
	engine
	plans []string
}

func (p *planner) read(ctx context.Context, ss []stmt) error {
	for _, s := range ss {
		var lines []string
		explain := stmt{text: "explain query plan " + s.text, args: s.args, scan: func(r row) error {
			var id, parent, unused int
			var detail string
			err := r.Scan(&id, &parent, &unused, &detail)
			lines = append(lines, detail)
			return err
		}}
		if p.postgres() {
			explain.text, explain.scan = "explain (costs off) "+s.text, func(r row) error {
				var line string
				err := r.Scan(&line)
				lines = append(lines, line)
				return err
			}
		}
		if err := p.engine.read(ctx, []stmt{explain}); err != nil {
			return err
		}
		p.plans = append(p.plans, strings.Join(lines, "\n"))
	}
	return p.engine.read(ctx, ss)
}
