package mask

import "bytes"

// privateKeyForms are private keys in textual encoding: PEM (RFC 7468, RFC 1421),
// OpenPGP (RFC 9580, section 6.2), SSH2 (as RFC 4716 for public keys), PuTTY and age.
var privateKeyForms = []form{
	{literal: "-----BEGIN ", anchor: 7, kind: armour},
	{literal: "---- BEGIN ", anchor: 7, kind: armour},
	{literal: "PuTTY-User-Key-File-", anchor: 2, kind: keyFile},
	{literal: "AGE-SECRET-KEY-1", anchor: 1, kind: ageKey, body: body{plainWord, 58, 58}},
}

// armoured finds the key from BEGIN to the END of a like label, or to the end of the
// text: what follows a cut-off key may be the rest of it.
func (f *finder) armoured(begin int, form *form) int {
	const longestLabel = 64
	label := f.text[begin+len(form.literal):]
	label = label[:min(len(label), longestLabel)]
	dashes := bytes.Index(label, []byte("----"))
	if dashes < 0 || !bytes.Contains(label[:dashes], []byte("PRIVATE KEY")) {
		return 0
	}
	end := len(f.text)
	from := begin + len(form.literal) + dashes
	mark := []byte("-----END ")
	if !f.is(begin+4, '-') {
		mark = []byte("---- END ")
	}
	if i := bytes.Index(f.text[from:], mark); i >= 0 {
		i += from + len(mark)
		label := f.text[i:min(end, i+longestLabel)]
		if dashes := bytes.Index(label, []byte("----")); dashes >= 0 {
			for end = i + dashes; f.is(end, '-'); end++ {
			}
		}
	}
	f.add(begin, end, f.set.anchors.privateKey)
	return end
}

// keyFile finds a PuTTY key file, which goes to the end of the text.
func (f *finder) keyFile(begin int) int {
	f.add(begin, len(f.text), f.set.anchors.privateKey)
	return len(f.text)
}
