package mask

// body is what follows a key's literal: so many characters of one alphabet; most 0 is
// any number.
type body struct {
	alphabet    *alphabet
	least, most int
}

type alphabet [256]bool

func newAlphabet(extra string) *alphabet {
	set := new(alphabet)
	for c := range set {
		set[c] = isAlphanumeric(byte(c))
	}
	for i := range len(extra) {
		set[extra[i]] = true
	}
	return set
}

var (
	plainWord = newAlphabet("")
	snakeWord = newAlphabet("_")
	urlWord   = newAlphabet("-_")
	dotWord   = newAlphabet("-_.")
	base64    = newAlphabet("+/=")
)

// key finds a form's literal with its body at begin, as a whole word.
func (f *finder) key(begin int, form *form, i index) int {
	if !f.opens(begin) {
		return 0
	}
	end, b, n := begin+len(form.literal), form.body, 0
	for end < len(f.text) && b.alphabet[f.text[end]] && (b.most == 0 || n <= b.most) {
		end++
		n++
	}
	if n < b.least || b.most > 0 && n > b.most {
		return 0
	}
	f.add(begin, end, i)
	return end
}

// cloudKeyForms are the forms that providers publish for secret scanning. A literal's
// anchor is its rarest byte.
var cloudKeyForms = []form{
	// Amazon Web Services: ids of long-lived and temporary keys, and secrets.
	{literal: "AKIA", anchor: 1, kind: awsKey, body: body{plainWord, 16, 16}},
	{literal: "ASIA", anchor: 1, kind: awsKey, body: body{plainWord, 16, 16}},
	{literal: "ecret_access_key", anchor: 13, kind: awsSecret},
	{literal: "ecretAccessKey", anchor: 11, kind: awsSecret},
	{literal: "ECRET_ACCESS_KEY", anchor: 13, kind: awsSecret},
	// Google Cloud: API keys, OAuth secrets and tokens.
	{literal: "AIza", anchor: 2, body: body{urlWord, 35, 35}},
	{literal: "GOCSPX-", anchor: 5, body: body{urlWord, 28, 28}},
	{literal: "ya29.", anchor: 0, body: body{dotWord, 20, 0}},
	// Azure: storage and service bus keys, signatures of shared access.
	{literal: "AccountKey=", anchor: 7, body: body{base64, 40, 0}},
	{literal: "SharedAccessKey=", anchor: 12, body: body{base64, 40, 0}},
	{literal: "Q~", anchor: 1, kind: entraSecret},
	// GitHub.
	{literal: "ghp_", anchor: 3, body: body{plainWord, 36, 0}},
	{literal: "gho_", anchor: 3, body: body{plainWord, 36, 0}},
	{literal: "ghu_", anchor: 3, body: body{plainWord, 36, 0}},
	{literal: "ghs_", anchor: 3, body: body{dotWord, 36, 0}},
	{literal: "ghr_", anchor: 3, body: body{plainWord, 36, 0}},
	{literal: "github_pat_", anchor: 6, body: body{snakeWord, 60, 0}},
	// GitLab, Slack, Stripe.
	{literal: "glpat-", anchor: 2, body: body{dotWord, 20, 0}},
	{literal: "xoxb-", anchor: 0, body: body{urlWord, 20, 0}},
	{literal: "xoxp-", anchor: 0, body: body{urlWord, 20, 0}},
	{literal: "xoxa-", anchor: 0, body: body{urlWord, 20, 0}},
	{literal: "xoxr-", anchor: 0, body: body{urlWord, 20, 0}},
	{literal: "xoxs-", anchor: 0, body: body{urlWord, 20, 0}},
	{literal: "xoxe.", anchor: 0, body: body{dotWord, 20, 0}},
	{literal: "xoxe-", anchor: 0, body: body{urlWord, 20, 0}},
	{literal: "xapp-", anchor: 0, body: body{urlWord, 20, 0}},
	{literal: "sk_live_", anchor: 1, body: body{plainWord, 16, 0}},
	{literal: "rk_live_", anchor: 1, body: body{plainWord, 16, 0}},
	{literal: "sk_test_", anchor: 1, body: body{plainWord, 16, 0}},
	{literal: "rk_test_", anchor: 1, body: body{plainWord, 16, 0}},
	{literal: "whsec_", anchor: 5, body: body{base64, 32, 0}},
	// Registries, vaults, and models.
	{literal: "npm_", anchor: 3, body: body{plainWord, 36, 36}},
	{literal: "pypi-AgE", anchor: 7, body: body{urlWord, 50, 0}},
	{literal: "dckr_pat_", anchor: 4, body: body{urlWord, 24, 0}},
	{literal: "dop_v1_", anchor: 3, body: body{plainWord, 64, 64}},
	{literal: "hvs.", anchor: 1, body: body{urlWord, 24, 0}},
	{literal: "SG.", anchor: 1, body: body{dotWord, 60, 0}},
	{literal: "sk-proj-", anchor: 1, body: body{urlWord, 20, 0}},
	{literal: "sk-ant-", anchor: 1, body: body{urlWord, 20, 0}},
}

// entraSecret finds a client secret of Microsoft Entra by the mark in its middle: three
// characters, a digit, Q~, and 31 to 34 more.
func (f *finder) entraSecret(mark int) int {
	begin := mark - 4
	if begin < 0 || !f.opens(begin) || !f.digitAt(mark-1) {
		return 0
	}
	for _, c := range f.text[begin : mark-1] {
		if !entraWord[c] {
			return 0
		}
	}
	end := mark + 2
	for end < len(f.text) && end < mark+2+35 && entraWord[f.text[end]] {
		end++
	}
	if n := end - mark - 2; n < 31 || n > 34 {
		return 0
	}
	f.add(begin, end, f.set.anchors.cloudKey)
	return end
}

var entraWord = newAlphabet("-_.~")
