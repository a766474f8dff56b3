package mask

// awsNeighbourhood is how far from an access key's id its secret is looked for.
const awsNeighbourhood = 160

// awsKey finds the id of an access key, and 40 character secrets near it on either side:
// a secret has no form of its own to be told by.
func (f *finder) awsKey(begin int, form *form) int {
	end := begin + len(form.literal) + form.body.least
	if !f.opens(begin) || !f.closes(end) || end > len(f.text) {
		return 0
	}
	for _, c := range f.text[begin:end] {
		if !isUpper(c) && !isDigit(c) {
			return 0
		}
	}
	f.awsSecrets(max(0, begin-awsNeighbourhood), begin)
	f.add(begin, end, f.set.anchors.cloudKey)
	f.awsSecrets(end, min(len(f.text), end+awsNeighbourhood))
	return end
}

// awsSecrets finds the secrets in text[i:end].
func (f *finder) awsSecrets(i, end int) {
	for i < end {
		for i < end && !awsWord[f.text[i]] {
			i++
		}
		next := i
		for next < end && awsWord[f.text[next]] {
			next++
		}
		if (i == 0 || !awsWord[f.text[i-1]]) && (next == len(f.text) || !awsWord[f.text[next]]) && isAWSSecret(f.text[i:next]) {
			f.add(i, next, f.set.anchors.cloudKey)
		}
		i = next
	}
}

// awsSecretByName finds the secret that follows its name in a file or a document, at
// most a few signs later: secret_access_key = …, "SecretAccessKey": "…".
func (f *finder) awsSecretByName(begin int, form *form) int {
	i := begin + len(form.literal)
	for last := i + 12; i < last && i < len(f.text) && isBetweenNameAndValue(f.text[i]); {
		i++
	}
	end := i
	for end < len(f.text) && end-i <= 40 && awsWord[f.text[end]] {
		end++
	}
	if !isAWSSecret(f.text[i:end]) {
		return 0
	}
	f.add(i, end, f.set.anchors.cloudKey)
	return end
}

func isBetweenNameAndValue(c byte) bool {
	switch c {
	case ' ', '\t', '=', ':', '"', '\'', '\\', '>', ',', '|':
		return true
	}
	return false
}

// isAWSSecret says whether word is 40 characters of base64 with letters of both cases
// and digits: not a hash in hexadecimal, not a path.
func isAWSSecret(word []byte) bool {
	if len(word) != 40 {
		return false
	}
	var upper, lower, digit bool
	for _, c := range word {
		upper = upper || isUpper(c)
		lower = lower || isUpper(c-'a'+'A')
		digit = digit || isDigit(c)
	}
	return upper && lower && digit
}

var awsWord = newAlphabet("+/")
