package mask

import (
	"bytes"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// candidate is where something begins that is held and may become a value with what
// comes next: it has half of the shortest value of some detector, or a sign that only
// such values have. It is the text's end if nothing is.
func (s *Stream) candidate() int {
	text := s.shown.text
	begin := s.shown.open
	if n := len(s.found); n > 0 && !s.found[n-1].told && s.found[n-1].last == len(text) {
		begin, text = s.found[n-1].Begin, text[:s.found[n-1].first]
	}
	word := len(text)
	for word > 0 && inWord(text[word-1]) {
		word--
	}
	a := &s.set.anchors
	for _, d := range s.set.detectors {
		at := -1
		switch d.detect {
		case v1alpha1.DetectEmail:
			if bytes.IndexByte(text[word:], '@') >= 0 || bytes.Contains(text[word:], []byte("%40")) {
				at = word
			}
		case v1alpha1.DetectJWT, v1alpha1.DetectCloudKey:
			at = formIn(a, text, word)
		case v1alpha1.DetectPrivateKey:
			line := bytes.LastIndexByte(text, '\n') + 1
			if i := bytes.Index(text[line:], []byte("-- BEGIN ")); i >= 0 {
				at = line + i
			}
			if i := bytes.Index(text[line:], []byte("-----BEGIN ")); i >= 0 {
				at = line + i
			}
		case v1alpha1.DetectPaymentCard:
			at = digitWords(text, " -", 7)
		case v1alpha1.DetectIBAN:
			at = digitWords(text, " -", 8)
		case v1alpha1.DetectNationalID:
			at = digitWords(text, " -./", 5)
		case v1alpha1.DetectPhone:
			at = digitWords(text, " -./()+", 6)
		case v1alpha1.DetectIPAddress:
			at = address(text, word)
		case v1alpha1.DetectPattern:
		}
		if at >= 0 {
			begin = min(begin, s.place(at))
		}
	}
	for i := range s.set.patterns {
		if at := s.set.patterns[i].begun(text); at >= 0 {
			begin = min(begin, s.place(at))
		}
	}
	return max(s.out, begin)
}

// formIn is where a form's literal stands in text[word:].
func formIn(a *anchors, text []byte, word int) int {
	for i := word; i < len(text); i++ {
		forms := a.literals[text[i]]
		for k := range forms {
			begin := i - forms[k].anchor
			if begin >= word && bytes.HasPrefix(text[begin:], []byte(forms[k].literal)) {
				return begin
			}
		}
	}
	return -1
}

// digitWords is where text ends in words with digits, single separators between them, that
// have least digits together.
func digitWords(text []byte, separators string, least int) int {
	begin, digits := len(text), 0
	for i := len(text); i > 0; {
		j, n := i, 0
		for j > 0 && isAlphanumeric(text[j-1]) {
			if j--; isDigit(text[j]) {
				n++
			}
		}
		if n == 0 && (j < i || i < len(text)) {
			break
		}
		begin, digits = j, digits+n
		if j == 0 || bytes.IndexByte([]byte(separators), text[j-1]) < 0 {
			break
		}
		i = j - 1
	}
	if digits < least {
		return -1
	}
	return begin
}

// address is where a word begins that has the signs of half an address.
func address(text []byte, word int) int {
	w := text[word:]
	if bytes.Count(w, []byte(".")) < 2 && bytes.Count(w, []byte(":")) < 3 || !bytes.ContainsAny(w, "0123456789") {
		return -1
	}
	return word
}

// begun is where one of the pattern's literals stands with something after it.
func (p *pattern) begun(text []byte) int {
	from := bytes.LastIndexByte(text, '\n') + 1
	for i := from; i < len(text); i++ {
		for _, l := range p.literals {
			if l.begins(text[i:]) && len(bytes.TrimSpace(text[min(len(text), i+len(l.bytes)):])) > 0 {
				return i
			}
		}
	}
	return -1
}
