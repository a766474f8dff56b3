package mask

// jwtForm is a JSON Web Token (RFC 7519) in compact form: eyJ begins {" in base64url.
var jwtForm = form{literal: "eyJ", anchor: 2, kind: token}

// token finds three parts (signed, RFC 7515; the last may be empty) or five (encrypted,
// RFC 7516) with dots between. Of the many places in one run at which eyJ may stand,
// all fail if one does; so each run is read once.
func (f *finder) token(begin int) int {
	if begin < f.noToken || !f.opens(begin) {
		return 0
	}
	const shortestPart = 8
	first := f.base64URL(begin)
	if first-begin < shortestPart || !f.is(first, '.') {
		f.noToken = first
		return 0
	}
	second := f.base64URL(first + 1)
	if !f.is(second, '.') || second-first-1 < shortestPart && second != first+1 {
		f.noToken = first
		return 0
	}
	end := f.base64URL(second + 1)
	for more := 0; more < 2 && f.is(end, '.'); more++ {
		next := f.base64URL(end + 1)
		if next == end+1 {
			break
		}
		end = next
	}
	f.add(begin, end, f.set.anchors.jwt)
	return end
}

// base64URL returns the end of a run of base64url (RFC 4648, section 5) at i.
func (f *finder) base64URL(i int) int {
	for i < len(f.text) && inBase64URL(f.text[i]) {
		i++
	}
	return i
}

func inBase64URL(c byte) bool { return isAlphanumeric(c) || c == '-' || c == '_' }
