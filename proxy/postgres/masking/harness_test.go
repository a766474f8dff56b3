package masking_test

import (
	"encoding/binary"
	"testing"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/mask"
	"github.com/sallyport/sallyport/proxy/postgres/catalog"
	"github.com/sallyport/sallyport/proxy/postgres/masking"
	"github.com/sallyport/sallyport/proxy/postgres/sql"
	"github.com/sallyport/sallyport/proxy/postgres/wire"
)

// compile is a policy's masks, keyed.
func compile(t testing.TB, spec v1alpha1.MaskingPolicy) *mask.Set {
	t.Helper()
	set, err := mask.Compile(spec)
	if err != nil {
		t.Fatal(err)
	}
	return set.WithKey([]byte("the key of the task"))
}

// columns masks columns of public.orders.
func columns(how v1alpha1.Mask, names ...string) v1alpha1.MaskingPolicy {
	var spec v1alpha1.MaskingPolicy
	for _, name := range names {
		spec.Columns = append(spec.Columns, v1alpha1.ColumnMask{Schema: "public", Relation: "orders", Column: name, Mask: how})
	}
	return spec
}

var redact = v1alpha1.Mask{How: v1alpha1.MaskRedact}

// detectors of these forms, named for them.
func detectors(how v1alpha1.Mask, forms ...v1alpha1.Detect) v1alpha1.MaskingPolicy {
	names := map[v1alpha1.Detect]string{
		v1alpha1.DetectPaymentCard: "card", v1alpha1.DetectEmail: "email", v1alpha1.DetectIPAddress: "address", v1alpha1.DetectPhone: "phone",
	}
	var spec v1alpha1.MaskingPolicy
	for _, form := range forms {
		spec.Detectors = append(spec.Detectors, v1alpha1.DetectorMask{Name: names[form], Detect: form, Mask: how})
	}
	return spec
}

// The relations of the tests' catalog.
const (
	ordersOID    = 20000
	partitionOID = 20001
	plainOID     = 20002
	viewOID      = 20003
	archiveOID   = 20004
)

// target is orders (id, email, amount) with a partition, a table without anything to
// mask, and two views.
func target() *catalog.Snapshot {
	relation := func(oid uint32, name string, kind byte, columns ...string) *catalog.Relation {
		r := &catalog.Relation{OID: oid, Name: catalog.Name{Schema: "public", Name: name}, Kind: kind}
		for i, column := range columns {
			r.Columns = append(r.Columns, catalog.Column{Number: int16(i + 1), Name: column, Type: 25})
		}
		return r
	}
	orders := relation(ordersOID, "orders", 'p', "id", "email", "amount")
	orders.Columns[0].Type, orders.Columns[2].Type = 23, 1700
	partition := relation(partitionOID, "orders_2026", 'r', "amount", "email", "id")
	orders.Children, partition.Parents = []uint32{partitionOID}, []uint32{ordersOID}
	plain := relation(plainOID, "plain", 'r', "id", "note")
	view := relation(viewOID, "v", 'v', "number", "e", "both")
	view.View = "SELECT orders.id, orders.email, orders.id || orders.email FROM public.orders"
	view.Reads = []catalog.Origin{{Relation: ordersOID, Column: 1}, {Relation: ordersOID, Column: 2}}
	archive := relation(archiveOID, "archive", 'm', "e")
	archive.View = "SELECT v.e FROM public.v"
	archive.Reads = []catalog.Origin{{Relation: viewOID, Column: 2}}
	return catalog.New(1, "", []*catalog.Relation{orders, partition, plain, view, archive}, nil, nil)
}

// read is the one statement of a text.
func read(t testing.TB, text string) *sql.Statement {
	t.Helper()
	statements := sql.Read(text, sql.Session{Catalog: target(), SearchPath: []string{"pg_catalog", "public"}})
	if len(statements) != 1 {
		t.Fatalf("%q is %d statements", text, len(statements))
	}
	return &statements[0]
}

// masks of a policy on that catalog.
func masks(t testing.TB, spec v1alpha1.MaskingPolicy) *masking.Masks {
	t.Helper()
	m := masking.New(compile(t, spec))
	m.Follow(target())
	return m
}

// dataRow is a DataRow; nil is NULL.
func dataRow(values ...[]byte) []byte {
	row := binary.BigEndian.AppendUint16([]byte{wire.TypeDataRow, 0, 0, 0, 0}, uint16(len(values)))
	for _, value := range values {
		if value == nil {
			row = binary.BigEndian.AppendUint32(row, ^uint32(0))
			continue
		}
		row = append(binary.BigEndian.AppendUint32(row, uint32(len(value))), value...)
	}
	binary.BigEndian.PutUint32(row[1:], uint32(len(row)-1))
	return row
}

// values of a DataRow.
func values(t testing.TB, row []byte) [][]byte {
	t.Helper()
	if len(row) < wire.HeaderSize || int(binary.BigEndian.Uint32(row[1:])) != len(row)-1 {
		t.Fatalf("no message: %q", row)
	}
	list, err := wire.ReadDataRow(row[wire.HeaderSize:])
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func texts(values ...string) [][]byte {
	list := make([][]byte, len(values))
	for i, value := range values {
		list[i] = []byte(value)
	}
	return list
}
