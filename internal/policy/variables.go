package policy

import (
	"slices"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// celAction is an Action as rules see it. Lists are never null.
type celAction struct {
	Protocol   string      `cel:"protocol"`
	Kind       string      `cel:"kind"`
	Access     []celAccess `cel:"access"`
	Relations  []string    `cel:"relations"`
	Reads      []string    `cel:"reads"`
	Writes     []string    `cel:"writes"`
	Functions  []string    `cel:"functions"`
	Sequences  []string    `cel:"sequences"`
	HasWhere   bool        `cel:"hasWhere"`
	Statements int64       `cel:"statements"`
	Position   int64       `cel:"position"`
}

type celAccess struct {
	Schema    string `cel:"schema"`
	Name      string `cel:"name"`
	Relation  string `cel:"relation"`
	Privilege string `cel:"privilege"`
}

type celSession struct {
	User        string `cel:"user"`
	Database    string `cel:"database"`
	Application string `cel:"application"`
}

type celTask struct {
	ID        string   `cel:"id"`
	Type      string   `cel:"type"`
	URL       string   `cel:"url"`
	Reviewer  string   `cel:"reviewer"`
	Requester string   `cel:"requester"`
	Groups    []string `cel:"groups"`
	Request   string   `cel:"request"`
	Namespace string   `cel:"namespace"`
	Target    string   `cel:"target"`
}

type celRequest struct {
	Name            string   `cel:"name"`
	Namespace       string   `cel:"namespace"`
	Requester       string   `cel:"requester"`
	Groups          []string `cel:"groups"`
	Target          string   `cel:"target"`
	Policy          string   `cel:"policy"`
	Reason          string   `cel:"reason"`
	DurationSeconds int64    `cel:"durationSeconds"`
}

func actionVariables(a Action, c Context) map[string]any {
	action := celAction{
		Protocol: a.Protocol, Kind: a.Kind,
		Access:    make([]celAccess, 0, len(a.Access)),
		Relations: []string{}, Reads: []string{}, Writes: []string{},
		Functions: list(a.Functions), Sequences: list(a.Sequences),
		HasWhere: a.HasWhere, Statements: int64(a.Statements), Position: int64(a.Position),
	}
	for _, access := range a.Access {
		relation := access.Schema + "." + access.Name
		action.Access = append(action.Access, celAccess{
			Schema: access.Schema, Name: access.Name, Relation: relation, Privilege: string(access.Privilege),
		})
		action.Relations = append(action.Relations, relation)
		if access.Privilege == v1alpha1.PrivilegeSelect {
			action.Reads = append(action.Reads, relation)
		} else {
			action.Writes = append(action.Writes, relation)
		}
	}
	action.Relations, action.Reads, action.Writes = unique(action.Relations), unique(action.Reads), unique(action.Writes)
	return map[string]any{
		"action":  action,
		"session": celSession{User: c.Session.User, Database: c.Session.Database, Application: c.Session.Application},
		"task":    taskVariable(c.Task),
	}
}

func taskVariable(t TaskContext) celTask {
	return celTask{
		ID: t.ID, Type: t.Type, URL: t.URL, Reviewer: t.Reviewer, Requester: t.Requester, Groups: list(t.Groups),
		Request: t.Request, Namespace: t.Namespace, Target: t.Target,
	}
}

func unique(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

func list(names []string) []string {
	if names == nil {
		return []string{}
	}
	return names
}
