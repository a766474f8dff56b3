package canary

import "strings"

// kind of values of a column.
type kind byte

// The kinds: as expressions are made of them.
const (
	text     kind = 't'
	number   kind = 'n'
	truth    kind = 'b'
	uuid     kind = 'u'
	day      kind = 'd'
	moment   kind = 's'
	document kind = 'j'
	texts    kind = 'a'
	numbers  kind = 'm'
	blob     kind = 'y'
	network  kind = 'i'
	markup   kind = 'x'
	home     kind = 'c'
	span     kind = 'r'
	whole    kind = 'w'
)

// column in scope: its expression and its kind.
type column struct {
	name string
	kind kind
}

// relation that statements read.
type relation struct {
	name    string
	columns []column
}

func newRelation(name, columns string) relation {
	r := relation{name: name}
	for c := range strings.FieldsSeq(columns) {
		name, k, _ := strings.Cut(c, ":")
		r.columns = append(r.columns, column{name, kind(k[0])})
	}
	return r
}

const personColumns = `id:n name:t grp:n region:t city:n email:t phone:t code:t card:n balance:n pin:n ratio:n token:u born:d seen:s
	profile:j tags:a cards:m raw:y ip:i doc:x word:t home:c span:r big:t mailhash:t email:t card:n phone:t`

// relations are those with masked columns, and two without.
var relations = []relation{
	newRelation("person", personColumns), newRelation("person", personColumns), newRelation("person", personColumns),
	newRelation("person_old", personColumns+" reason:t"),
	newRelation("only person", personColumns),
	newRelation("invoice", "id:n person:n amount:n note:t iban:t memo:t paid:n"),
	newRelation("invoice_1", "id:n person:n amount:n note:t iban:t memo:t paid:n"),
	newRelation("payment", "iban:t amount:n"), newRelation("refund", "id:n iban:t note:t"),
	newRelation("loud", "id:n note:t iban:t"), newRelation("city", "id:n name:t size:n"),
	newRelation("person_view", "id:n name:t grp:n mail:t low:t size:n number:n inner_secret:t town:t"),
	newRelation("person_short", "number:n both:t label:t"),
	newRelation("person_group", "grp:n people:n first:t top:n phones:a"),
	newRelation("person_row", "id:n json:j"),
	newRelation("invoice_all", "id:n iban:t note:t"),
	newRelation("person_kept", "id:n name:t kept:t kept_card:n"),
}
