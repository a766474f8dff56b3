package policy

import (
	"slices"

	"cel.dev/cel-go/cel"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// The kinds that expressions see.
var (
	accessKind = newKind[Access]("Access", map[string]field{
		"schema":    text(func(a *Access) string { return a.Schema }),
		"name":      text(func(a *Access) string { return a.Name }),
		"relation":  text(func(a *Access) string { return a.relation() }),
		"privilege": text(func(a *Access) string { return string(a.Privilege) }),
		"via":       text(func(a *Access) string { return a.Via }),
	})
	columnKind = newKind[ColumnUse]("ColumnUse", map[string]field{
		"schema":   text(func(c *ColumnUse) string { return c.Schema }),
		"relation": text(func(c *ColumnUse) string { return c.Relation }),
		"column":   text(func(c *ColumnUse) string { return c.Column }),
		"use":      text(func(c *ColumnUse) string { return string(c.Use) }),
	})
	callKind = newKind[Call]("Call", map[string]field{
		"function":   text(func(c *Call) string { return c.Function }),
		"volatility": text(func(c *Call) string { return c.Volatility }),
		"definer":    truth(func(c *Call) bool { return c.Definer }),
		"opaque":     truth(func(c *Call) bool { return c.Opaque }),
		"via":        text(func(c *Call) string { return c.Via }),
	})
	// The bytes of a binary value are nothing that a rule could read.
	valueKind = newKind[Value]("Value", map[string]field{
		"isNull": truth(func(v *Value) bool { return v.Null }),
		"binary": truth(func(v *Value) bool { return v.Binary }),
		"text": text(func(v *Value) string {
			if v.Binary {
				return ""
			}
			return v.Text
		}),
	})
	commandKind = newKind[commandLine]("Command", map[string]field{
		"argv": texts(func(c *commandLine) []string { return *c.argv }),
		"name": text(func(c *commandLine) string { return (*c.argv)[0] }),
	})
	fileKind = newKind[FileUse]("FileUse", map[string]field{
		"path":   text(func(f *FileUse) string { return f.Path }),
		"access": text(func(f *FileUse) string { return string(f.Access) }),
	})
	actionKind = newKind[input]("Action", map[string]field{
		"protocol":   text(func(in *input) string { return in.action.Protocol }),
		"kind":       text(func(in *input) string { return in.action.Kind }),
		"access":     objects(accessKind, func(in *input) []Access { return in.action.Access }),
		"relations":  texts((*input).relations),
		"reads":      texts((*input).reads),
		"writes":     texts((*input).writes),
		"columns":    objects(columnKind, func(in *input) []ColumnUse { return in.action.Columns }),
		"functions":  texts(func(in *input) []string { return in.action.Functions }),
		"calls":      objects(callKind, func(in *input) []Call { return in.action.Calls }),
		"sequences":  texts(func(in *input) []string { return in.action.Sequences }),
		"hasWhere":   truth(func(in *input) bool { return in.action.HasWhere }),
		"hasLimit":   truth(func(in *input) bool { return in.action.HasLimit }),
		"statements": number(func(in *input) int64 { return int64(in.action.Statements) }),
		"position":   number(func(in *input) int64 { return int64(in.action.Position) }),
		"binds":      objects(valueKind, func(in *input) []Value { return in.action.Binds }),
		"settings":   texts(func(in *input) []string { return in.action.Settings }),
		"opaque":     text(func(in *input) string { return in.action.Opaque }),
		"login":      text(func(in *input) string { return in.ssh().Login }),
		"command":    text(func(in *input) string { return in.ssh().Command }),
		"argv":       texts((*input).argv),
		"commands":   objects(commandKind, (*input).commands),
		"terminal":   truth(func(in *input) bool { return in.ssh().Terminal }),
		"files":      objects(fileKind, func(in *input) []FileUse { return in.ssh().Files }),
		"paths":      texts((*input).paths),
		"bytes":      number(func(in *input) int64 { return in.ssh().Bytes }),
		"repository": text(func(in *input) string { return in.ssh().Repository }),
		"push":       truth(func(in *input) bool { return in.ssh().Push }),
		"host":       text(func(in *input) string { return in.ssh().Host }),
		"port":       number(func(in *input) int64 { return int64(in.ssh().Port) }),
		"socket":     text(func(in *input) string { return in.ssh().Socket }),
		"name":       text(func(in *input) string { return in.ssh().Name }),
		"value":      text(func(in *input) string { return in.ssh().Value }),
	})
	sessionKind = newKind[input]("Session", map[string]field{
		"user":          text(func(in *input) string { return in.session.User }),
		"database":      text(func(in *input) string { return in.session.Database }),
		"application":   text(func(in *input) string { return in.session.Application }),
		"inTransaction": truth(func(in *input) bool { return in.session.InTransaction }),
	})
	taskKind = newKind[input]("Task", map[string]field{
		"id":        text(func(in *input) string { return in.task.ID }),
		"type":      text(func(in *input) string { return in.task.Type }),
		"url":       text(func(in *input) string { return in.task.URL }),
		"reviewer":  text(func(in *input) string { return in.task.Reviewer }),
		"requester": text(func(in *input) string { return in.task.Requester }),
		"request":   text(func(in *input) string { return in.task.Request }),
		"namespace": text(func(in *input) string { return in.task.Namespace }),
		"target":    text(func(in *input) string { return in.task.Target }),
		"groups":    texts(func(in *input) []string { return in.task.Groups }),
	})
	requestKind = newKind[input]("Request", map[string]field{
		"name":            text(func(in *input) string { return in.task.Request }),
		"namespace":       text(func(in *input) string { return in.task.Namespace }),
		"requester":       text(func(in *input) string { return in.task.Requester }),
		"groups":          texts(func(in *input) []string { return in.task.Groups }),
		"target":          text(func(in *input) string { return in.task.Target }),
		"policy":          text(func(in *input) string { return in.request.Policy }),
		"reason":          text(func(in *input) string { return in.request.Reason }),
		"durationSeconds": number(func(in *input) int64 { return int64(in.request.DurationSeconds) }),
	})
)

// input is what one evaluation is about; it resolves the variables.
type input struct {
	action  *Action
	session *SessionContext
	task    *TaskContext
	request *v1alpha1.TaskAccessRequestSpec

	// The same as objects, whose addresses the variables are.
	objects [4]object
}

// Places in input.objects.
const (
	atAction = iota
	atSession
	atTask
	atRequest
)

func actionInput(a *Action, c *Context) *input {
	in := &input{action: a, session: &c.Session, task: &c.Task}
	in.objects = [4]object{atAction: {actionKind, in}, atSession: {sessionKind, in}, atTask: {taskKind, in}}
	return in
}

func requestInput(task *TaskContext, request *v1alpha1.TaskAccessRequestSpec) *input {
	in := &input{task: task, request: request}
	in.objects = [4]object{atTask: {taskKind, in}, atRequest: {requestKind, in}}
	return in
}

// ResolveName finds a variable.
func (in *input) ResolveName(name string) (any, bool) {
	at := 0
	switch name {
	case "action":
		at = atAction
	case "session":
		at = atSession
	case "task":
		at = atTask
	case "request":
		at = atRequest
	default:
		return nil, false
	}
	return &in.objects[at], in.objects[at].kind != nil
}

// Parent is none.
func (*input) Parent() cel.Activation { return nil }

func (in *input) relations() []string { return in.named(func(Access) bool { return true }) }

func (in *input) reads() []string {
	return in.named(func(a Access) bool { return a.Privilege == v1alpha1.PrivilegeSelect })
}

func (in *input) writes() []string {
	return in.named(func(a Access) bool { return a.Privilege != v1alpha1.PrivilegeSelect })
}

// named lists relations, sorted, each once.
func (in *input) named(which func(Access) bool) []string {
	var names []string
	for _, a := range in.action.Access {
		if which(a) {
			names = append(names, a.relation())
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// commandLine is one command of a line, by its words: one at least.
type commandLine struct{ argv *[]string }

// notSSH is what the variables of SSH are for other protocols.
var notSSH = &SSHAction{}

func (in *input) ssh() *SSHAction {
	if in.action.SSH == nil {
		return notSSH
	}
	return in.action.SSH
}

// argv is the words of a line of one command.
func (in *input) argv() []string {
	if all := in.ssh().Commands; len(all) == 1 {
		return all[0]
	}
	return nil
}

func (in *input) commands() []commandLine {
	all := in.ssh().Commands
	list := make([]commandLine, 0, len(all))
	for i := range all {
		if len(all[i]) > 0 {
			list = append(list, commandLine{&all[i]})
		}
	}
	return list
}

func (in *input) paths() []string {
	var paths []string
	for _, f := range in.ssh().Files {
		paths = append(paths, f.Path)
	}
	return paths
}
