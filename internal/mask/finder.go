package mask

// finder is one pass over one text. Every look from an anchor is bounded, or goes over
// bytes that no other look of its kind goes over again: so the pass is linear.
type finder struct {
	set   *Set
	text  []byte
	found []Span
	base  int
	// edge is where the farthest finding ends.
	edge int
	// tangled: some finding overlaps the one before it, or begins before it.
	tangled bool
	// formedEnd is where the last value of each kind of form ends.
	formedEnd [kinds]int
	// noToken is where the last run of base64url that was no JWT ends.
	noToken int
}

func (f *finder) scan() {
	text, a := f.text, &f.set.anchors
	for i := 0; i < len(text); {
		for i < len(text) && a.of[text[i]] == none {
			i++
		}
		if i == len(text) {
			return
		}
		next := i + 1
		switch a.of[text[i]] {
		case digit:
			next = f.digits(i)
		case at:
			f.address(i, i+1)
		case percent:
			if f.has(i, "%40") {
				f.address(i, i+3)
			}
		case colon:
			f.ipv6(i)
		case plus:
			f.international(i)
		case literal:
			f.literals(i)
		case none:
		}
		i = next
	}
}

// digits looks at a run of digits that begins at i, and returns its end.
func (f *finder) digits(i int) int {
	text, a := f.text, &f.set.anchors
	j := i + 1
	for j < len(text) && isDigit(text[j]) {
		j++
	}
	if j-i > longestRun || !a.runs[j-i] {
		if a.iban != 0 && j-i > longestRun {
			f.account(i)
		}
		return j
	}
	if a.ip != 0 && j-i <= 3 && f.is(j, '.') {
		f.ipv4(i, j)
	}
	if a.iban != 0 && j-i >= 2 {
		f.account(i)
	}
	if a.card != 0 && (j-i >= 13 || j-i == 4) {
		f.paymentCard(i, j)
	}
	if a.phone != 0 && j-i <= 5 {
		f.nationalPhone(i, j)
	}
	if a.national != 0 {
		f.nationalID(i, j)
	}
	return j
}

// literals looks for the forms that have the byte at i. Inside a value of the same kind
// it does not look again; for others it does, as a value may end in what is the
// beginning of theirs.
func (f *finder) literals(i int) {
	forms := f.set.anchors.literals[f.text[i]]
	for k := range forms {
		form := &forms[k]
		if begin := i - form.anchor; begin >= f.formedEnd[form.kind] && f.has(begin, form.literal) {
			f.formedEnd[form.kind] = max(f.formedEnd[form.kind], f.formed(begin, form))
		}
	}
}

// formed looks for the value at text[begin:], which begins with the form's literal, and
// returns its end; 0 if there is none.
func (f *finder) formed(begin int, form *form) int {
	switch form.kind {
	case awsKey:
		return f.awsKey(begin, form)
	case awsSecret:
		return f.awsSecretByName(begin, form)
	case entraSecret:
		return f.entraSecret(begin)
	case ageKey:
		return f.key(begin, form, f.set.anchors.privateKey)
	case armour:
		return f.armoured(begin, form)
	case keyFile:
		return f.keyFile(begin)
	case token:
		return f.token(begin)
	default:
		return f.key(begin, form, f.set.anchors.cloudKey)
	}
}

// add takes a finding down.
func (f *finder) add(begin, end int, i index) {
	if len(f.found) > f.base && begin < f.edge {
		f.tangled = true
	}
	f.edge = max(f.edge, end)
	f.found = append(f.found, Span{begin, end, int(i) - 1})
}
