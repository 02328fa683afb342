package db

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/guanxi-im/guanxi/internal/im"
)

// The types of this file spare PostgreSQL's rows the detour that database/sql makes: a value is decoded right into the
// row's field, where a [sql.Scanner] would first get it boxed, and an id as text.

// teach makes a connection read ids as they lie.
func teach(_ context.Context, c *pgx.Conn) error {
	c.TypeMap().RegisterType(&pgtype.Type{Name: "uuid", OID: pgtype.UUIDOID, Codec: idCodec{}})
	return nil
}

// idCodec reads and writes [im.ID]; NULL is the zero id.
type idCodec struct{ pgtype.UUIDCodec }

// PlanScan is part of pgtype.Codec.
func (c idCodec) PlanScan(m *pgtype.Map, oid uint32, format int16, target any) pgtype.ScanPlan {
	if _, ok := target.(*im.ID); ok && format == pgtype.BinaryFormatCode {
		return scanID{}
	}
	return c.UUIDCodec.PlanScan(m, oid, format, target)
}

// PlanEncode is part of pgtype.Codec.
func (c idCodec) PlanEncode(m *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	if _, ok := value.(im.ID); ok && format == pgtype.BinaryFormatCode {
		return encodeID{}
	}
	return c.UUIDCodec.PlanEncode(m, oid, format, value)
}

type scanID struct{}

// Scan is part of pgtype.ScanPlan.
func (scanID) Scan(src []byte, into any) error {
	id := into.(*im.ID)
	if len(src) != len(id) { // NULL has no bytes
		*id = im.ID{}
		return nil
	}
	*id = im.ID(src)
	return nil
}

type encodeID struct{}

// Encode is part of pgtype.EncodePlan.
func (encodeID) Encode(value any, buf []byte) ([]byte, error) {
	id := value.(im.ID)
	if id.IsZero() {
		return nil, nil
	}
	return append(buf, id[:]...), nil
}

// ScanText is part of pgtype.TextScanner.
func (t text[T]) ScanText(v pgtype.Text) error {
	*t.s = T(v.String)
	return nil
}

// ScanInt64 is part of pgtype.Int64Scanner.
func (s stamp) ScanInt64(v pgtype.Int8) error {
	if !v.Valid {
		return s.Scan(nil)
	}
	*s.t = time.UnixMicro(v.Int64).UTC()
	return nil
}

// ScanBytes is part of pgtype.BytesScanner.
func (b blob) ScanBytes(v []byte) error {
	if v == nil {
		*b.b = nil
		return nil
	}
	*b.b = append([]byte(nil), v...)
	return nil
}
