package main

import (
	"context"
	"os"
	"path/filepath"

	"sigs.k8s.io/yaml"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/proxy/standalone"
	"github.com/sallyport/sallyport/test/bench/measure"
)

// Our own contenders.
const (
	ours          = "sallyport"
	oursOutput    = "sallyport, full output"
	oursMasks     = "sallyport, column masks"
	oursDetectors = "sallyport, all detectors"
)

// proxies are one process for each way to be configured.
func (f *field) proxies(ctx context.Context) error {
	for _, variant := range []struct {
		name   string
		change func(*v1alpha1.AccessPolicySpec)
	}{
		{ours, func(*v1alpha1.AccessPolicySpec) {}},
		{oursOutput, func(p *v1alpha1.AccessPolicySpec) { p.Recording.Output = v1alpha1.OutputFull }},
		{oursMasks, func(p *v1alpha1.AccessPolicySpec) { p.Masking = columnMasks() }},
		{oursDetectors, func(p *v1alpha1.AccessPolicySpec) { p.Masking = measure.AllDetectors() }},
	} {
		port, err := measure.FreePort()
		if err != nil {
			return err
		}
		file, err := f.grantFile(variant.name, grant.Recording{}, variant.change)
		if err != nil {
			return err
		}
		c := &contender{name: variant.name, leg: plain, port: port, transactions: variant.name == ours, rows: true}
		if err := f.run(ctx, c, nil, f.options.Proxy, "--grant-file", file, "--allow-plaintext", "--listen", measure.Local(port)); err != nil {
			return err
		}
		f.add(&contender{name: c.name, leg: tlsOn, port: port, process: c.process, transactions: c.transactions, rows: true})
	}
	return nil
}

// grantFile grants what the workloads touch, and judges each statement by a rule.
func (f *field) grantFile(name string, how grant.Recording, change func(*v1alpha1.AccessPolicySpec)) (string, error) {
	folder := filepath.Join(f.folder, name)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	spec := v1alpha1.AccessPolicySpec{
		TaskTypes: []string{"bench"}, Targets: []string{"bench"},
		Grant: v1alpha1.Grant{Postgres: &v1alpha1.PostgresGrant{Database: database, Relations: []v1alpha1.RelationGrant{
			{Schema: "public", Name: "pgbench_accounts", Privileges: []v1alpha1.RelationPrivilege{v1alpha1.PrivilegeSelect}},
			{Schema: "public", Name: "pgbench_branches", Privileges: []v1alpha1.RelationPrivilege{v1alpha1.PrivilegeSelect}},
			{Schema: "public", Name: "people", Privileges: []v1alpha1.RelationPrivilege{v1alpha1.PrivilegeSelect}},
		}}},
		Rules:   []v1alpha1.Rule{{Name: "few-tables", When: `action.kind == "select" && size(action.reads) > 4`, Effect: v1alpha1.EffectDeny}},
		Review:  v1alpha1.ReviewPolicy{AutoApprove: "true"},
		Session: v1alpha1.SessionPolicy{MaxDurationSeconds: 86400, MaxConcurrent: int32(f.options.idle) + 50},
	}
	change(&spec)
	file := standalone.File{
		State: grant.State{
			Task: grant.Task{ID: "BENCH-1", Type: "bench", Request: "bench", Namespace: "bench", Requester: "bench", Target: "bench"},
			Grant: &grant.Grant{PolicyName: "bench", Policy: spec, Postgres: &grant.PostgresUpstream{
				Host: "127.0.0.1", Addresses: []string{"127.0.0.1"}, Port: int32(f.server.Port),
				TLSMode: v1alpha1.PostgresTLSDisable, Database: database, User: login, Password: token,
			}},
		},
		Recording: standalone.Recording{Recording: how, Directory: folder}, ClientToken: token,
	}
	content, err := yaml.Marshal(file)
	if err != nil {
		return "", err
	}
	path := filepath.Join(folder, "grant.yaml")
	return path, os.WriteFile(path, content, 0o600)
}

func columnMasks() *v1alpha1.MaskingPolicy {
	return &v1alpha1.MaskingPolicy{Columns: []v1alpha1.ColumnMask{
		{Schema: "public", Relation: "people", Column: "email", Mask: v1alpha1.Mask{How: v1alpha1.MaskRedact}},
		{Schema: "public", Relation: "people", Column: "name", Mask: v1alpha1.Mask{How: v1alpha1.MaskPartial, KeepLast: 2}},
	}}
}
