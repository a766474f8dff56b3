package main

import (
	"slices"

	"github.com/sallyport/sallyport/test/bench/measure"
)

// The contenders.
const (
	direct        = "direct"
	relay         = "relay"
	ours          = "sallyport"
	oursDetectors = "sallyport, all detectors"
)

// What is measured.
const (
	sshDownload  = "ssh, download"
	sshUpload    = "ssh, upload"
	sftpDownload = "sftp, download"
	sftpUpload   = "sftp, upload"
	scpDownload  = "scp -O, download"
	scpUpload    = "scp -O, upload"
	processor    = "processor time, sftp download"
	echoed       = "echo of one byte"
	connected    = "connections"
	resident     = "concurrent sessions"
)

// leg is the only one.
const leg = "ssh"

var bulk = []string{sshDownload, sshUpload, sftpDownload, sftpUpload, scpDownload, scpUpload}

var subject = measure.Subject{
	Name: "ssh", Baseline: relay, Legs: []string{leg}, Goals: goals(),
	Units: map[string]string{
		sshDownload: "MB/s", sshUpload: "MB/s", sftpDownload: "MB/s", sftpUpload: "MB/s", scpDownload: "MB/s", scpUpload: "MB/s",
		processor: "CPU-s/GB", echoed: "ms", connected: "a second", resident: "MiB",
	},
	Tables: append(slices.Clip(bulk), processor, echoed, connected, resident),
	Plots:  []string{sftpDownload, sftpUpload},
}

func goals() (all []measure.Goal) {
	for _, measured := range bulk {
		all = append(all,
			measure.Goal{Measure: measured, Name: ours, Ratio: 0.95},
			measure.Goal{Measure: measured, Name: ours, Baseline: direct, Ratio: 0.75})
	}
	return append(all, measure.Goal{Measure: echoed, Name: ours, Above: 80}, measure.Goal{Measure: echoed, Name: ours, Baseline: direct, Above: 80})
}

// results are those of this benchmark.
type results struct{ measure.Results }

func (r *results) add(measure string, c *contender, value float64) {
	r.Add(measure, c.name, leg, value)
}
