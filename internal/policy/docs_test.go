package policy_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/policy"
)

// blocks are the YAML documents of a page of docs, in their order.
func blocks(t *testing.T, page string) []string {
	t.Helper()
	content, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, block := range strings.Split(string(content), "```yaml\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		found = append(found, strings.Split(block, "\n---\n")...)
	}
	return found
}

// examples are the policies of docs/policy.md, in their order: a whole one, then specs
// that leave out what they do not speak of.
func examples(t *testing.T) []v1alpha1.AccessPolicySpec {
	t.Helper()
	var found []v1alpha1.AccessPolicySpec
	for i, block := range blocks(t, "../../docs/policy.md") {
		if strings.Contains(block, "kind: AccessPolicy") {
			found = append(found, parsed(t, []byte(block)))
			continue
		}
		s := v1alpha1.AccessPolicySpec{}
		if err := yaml.UnmarshalStrict([]byte(block), &s); err != nil {
			t.Fatalf("example %d: %v", i, err)
		}
		rest := spec()
		if s.Grant.Postgres == nil {
			s.Grant = rest.Grant
			s.Grant.Postgres.Relations[0].Privileges = []v1alpha1.RelationPrivilege{"SELECT", "UPDATE", "DELETE"}
		}
		if s.Review.AutoApprove == "" && len(s.Review.Requirements) == 0 {
			s.Review = rest.Review
		}
		found = append(found, s)
	}
	return found
}

func TestEveryPolicyOfEveryPageCompiles(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(pages) < 10 {
		t.Fatalf("pages %v: %v", pages, err)
	}
	for _, page := range pages {
		for i, block := range blocks(t, page) {
			if !strings.Contains(block, "kind: AccessPolicy") {
				continue
			}
			if _, err := policy.Compile("p", parsed(t, []byte(block))); err != nil {
				t.Errorf("%s, block %d: %v", page, i, err)
			}
		}
	}
	for i, s := range examples(t) {
		if _, err := policy.Compile("p", s); err != nil {
			t.Errorf("example %d: %v", i, err)
		}
	}
}

func sample(t *testing.T, name string) v1alpha1.AccessPolicySpec {
	t.Helper()
	content, err := os.ReadFile("../../config/samples/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return parsed(t, content)
}

func parsed(t *testing.T, content []byte) v1alpha1.AccessPolicySpec {
	t.Helper()
	object := v1alpha1.AccessPolicy{}
	if err := yaml.UnmarshalStrict(content, &object); err != nil {
		t.Fatal(err)
	}
	return object.Spec
}

// TestTheExamplesOfThePageDoWhatItSays has the page's own words as names.
func TestTheExamplesOfThePageDoWhatItSays(t *testing.T) {
	t.Parallel()
	const opening, support, wide, gated, searchable, pipeline, glass, count = 0, 1, 2, 3, 4, 5, 6, 7
	all := examples(t)
	if len(all) != count {
		t.Fatalf("%d examples, want %d", len(all), count)
	}
	with := func(a policy.Action, change func(*policy.Action)) policy.Action { change(&a); return a }
	where := func(a policy.Action) policy.Action { a.HasWhere = true; return a }
	limit := func(a policy.Action) policy.Action { a.HasLimit = true; return a }
	second := func(a policy.Action) policy.Action { a.Statements, a.Position = 2, 1; return a }
	reaching := func(a policy.Action, privilege v1alpha1.RelationPrivilege, relations ...string) policy.Action {
		for _, r := range relations {
			schema, name, _ := strings.Cut(r, ".")
			a.Access = append(a.Access, policy.Access{Schema: schema, Name: name, Privilege: privilege, Via: "trigger t on public.orders"})
		}
		return a
	}
	setting := func(columns ...string) policy.Action {
		a := where(action("update", "UPDATE", "public.orders"))
		for _, c := range columns {
			a.Columns = append(a.Columns, policy.ColumnUse{Schema: "public", Relation: "orders", Column: c, Use: "write"})
		}
		return a
	}
	kind := func(k string) policy.Action { return policy.Action{Protocol: "postgres", Kind: k, Statements: 1} }
	change, remove := action("update", "UPDATE", "public.orders"), action("delete", "DELETE", "public.orders")
	dba, inside := context, context
	dba.Task.Groups = []string{"engineering", "dba"}
	inside.Session.InTransaction = true
	for name, test := range map[string]struct {
		example int
		action  policy.Action
		context policy.Context
		effect  v1alpha1.Effect
		rule    string
	}{
		"a change says which rows":                         {opening, where(change), context, "Allow", "grant"},
		"a change of every row is refused":                 {opening, change, context, "Deny", "no-unfiltered-change"},
		"reading needs no WHERE":                           {opening, read("public.customers"), context, "Allow", "grant"},
		"what the grant lacks is refused":                  {opening, where(remove), context, "Deny", "grant"},
		"an address decides nothing":                       {opening, using("filter", "email"), context, "Deny", "masking"},
		"reading is allowed":                               {support, read("public.orders"), context, "Allow", "reads"},
		"and nothing else is":                              {support, kind("declare"), context, "Deny", "default"},
		"never a whole customer table":                     {support, read("public.customers"), context, "Deny", "customers-by-key"},
		"customers by key":                                 {support, where(read("public.customers")), context, "Allow", "reads"},
		"customers through a view":                         {support, reaching(read("public.orders"), "SELECT", "public.customers"), context, "Deny", "customers-by-key"},
		"what steers the session needs no Allow rule":      {support, begin, context, "Allow", "grant"},
		"a change of every row waits":                      {wide, change, context, "Hold", "wide"},
		"one of some rows goes through":                    {wide, where(change), context, "Allow", "grant"},
		"what triggers carry further waits":                {wide, reaching(where(change), "INSERT", "audit.a", "audit.b", "audit.c"), context, "Hold", "many-tables"},
		"deletes only by members of dba":                   {wide, where(remove), context, "Deny", "careful-deletes"},
		"deletes by members of dba":                        {wide, where(remove), dba, "Allow", "grant"},
		"one statement at a time":                          {wide, second(where(remove)), dba, "Deny", "careful-deletes"},
		"a delete by a foreign key is not theirs to ask":   {wide, reaching(where(change), "DELETE", "public.lines"), context, "Allow", "grant"},
		"writes run inside":                                {gated, change, inside, "HoldCommit", "four-eyes"},
		"and are refused outside of it":                    {gated, change, context, "Deny", "four-eyes"},
		"reads need no transaction":                        {gated, read("public.orders"), context, "Allow", "grant"},
		"the COMMIT itself is let to its gate":             {gated, kind("commit"), inside, "Allow", "grant"},
		"the log may grow by its trigger":                  {gated, reaching(change, "INSERT", "audit.log"), inside, "HoldCommit", "four-eyes"},
		"and not change":                                   {gated, reaching(change, "UPDATE", "audit.log"), inside, "Deny", "keep-the-log"},
		"a search by e-mail needs a LIMIT":                 {searchable, using("filter", "email"), context, "Deny", "by-equality"},
		"a search by e-mail with a LIMIT":                  {searchable, limit(using("filter", "email")), context, "Allow", "grant"},
		"a copy needs more than inference":                 {searchable, limit(using("copy", "email")), context, "Deny", "masking"},
		"the pipeline sets two columns of one table":       {pipeline, setting("state", "updated_at"), context, "Allow", "expire-carts"},
		"and no third":                                     {pipeline, setting("state", "total"), context, "Deny", "default"},
		"and reads":                                        {pipeline, read("public.orders"), context, "Allow", "look"},
		"everything that is understood goes through":       {glass, action("delete", "DELETE", "hr.salaries"), context, "Allow", "grant"},
		"what is not understood does not":                  {glass, with(remove, func(a *policy.Action) { a.Unknown = "strange" }), context, "Deny", "understood"},
		"what cannot be taken back waits":                  {glass, drop, context, "Hold", "irreversible"},
		"what cannot be looked into waits":                 {glass, with(read("public.v"), func(a *policy.Action) { a.Opaque = "written in C" }), context, "Hold", "unseen"},
		"code waits":                                       {glass, kind("do"), context, "Hold", "unseen"},
		"rights are nobody's to change":                    {glass, kind("grant"), context, "Deny", "rights"},
		"nor are roles":                                    {glass, kind("alter role set"), context, "Deny", "rights"},
		"nor is the session's own":                         {glass, with(kind("set"), func(a *policy.Action) { a.Settings = []string{"role"} }), context, "Deny", "rights"},
		"a harmless setting is everybody's":                {glass, with(kind("set"), func(a *policy.Action) { a.Settings = []string{"timezone"} }), context, "Allow", "grant"},
		"a table made in break-glass needs nobody's leave": {glass, kind("create table"), context, "Allow", "grant"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := mustCompile(t, all[test.example]).Decide(test.action, test.context)
			if got.Effect != test.effect || got.Rule != test.rule {
				t.Errorf("%s by rule %s, want %s by %s", got.Effect, got.Rule, test.effect, test.rule)
			}
		})
	}
	robot, person := request, request
	robot.Requester.Username = "system:serviceaccount:ci:nightly"
	for name, test := range map[string]struct {
		spec v1alpha1.TaskAccessRequestSpec
		want bool
	}{"the service account is let in by itself": {robot, true}, "anybody else waits for a dba": {person, false}} {
		if got, err := mustCompile(t, all[pipeline]).AutoApprove("shop", "n", test.spec); err != nil || got != test.want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestTheSamplePoliciesDoWhatTheirFirstLinesSay(t *testing.T) {
	t.Parallel()
	const reading, repairing, cleaning = "accesspolicy-orders-read.yaml", "accesspolicy-orders-fix.yaml", "accesspolicy-orders-cleanup.yaml"
	remove := action("delete", "DELETE", "public.orders")
	some := remove
	some.HasWhere = true
	for name, test := range map[string]struct {
		file   string
		action policy.Action
		effect v1alpha1.Effect
	}{
		"a delete without WHERE waits":       {cleaning, remove, "Hold"},
		"an update without WHERE waits":      {cleaning, action("update", "UPDATE", "public.orders"), "Hold"},
		"a delete inside a SELECT waits":     {cleaning, action("select", "DELETE", "public.orders"), "Hold"},
		"every other change is gated":        {cleaning, some, "HoldCommit"},
		"reading waits for nobody":           {cleaning, read("public.orders"), "Allow"},
		"whom an order belongs to is masked": {cleaning, using("output", "email"), "Allow"},
		"nobody searches by it":              {cleaning, using("filter", "name"), "Deny"},
		"nobody copies it":                   {cleaning, using("copy", "email"), "Deny"},
		"reading reads orders":               {reading, read("public.orders"), "Allow"},
		"reading reads customers":            {reading, read("public.customers"), "Allow"},
		"reading repairs nothing":            {reading, action("update", "UPDATE", "public.orders"), "Deny"},
		"repairing reads customers":          {repairing, read("public.customers"), "Allow"},
		"repairing repairs orders":           {repairing, action("update", "UPDATE", "public.orders"), "Allow"},
		"repairing leaves customers alone":   {repairing, action("update", "UPDATE", "public.customers"), "Deny"},
		"repairing deletes nothing":          {repairing, action("delete", "DELETE", "public.orders"), "Deny"},
		"repairing drops nothing":            {repairing, drop, "Deny"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inside := context
			inside.Session.InTransaction = true
			if got := mustCompile(t, sample(t, test.file)).Decide(test.action, inside); got.Effect != test.effect {
				t.Errorf("%s by rule %s, want %s", got.Effect, got.Rule, test.effect)
			}
		})
	}
}
