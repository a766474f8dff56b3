package access

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/sallyport/sallyport/internal/cli/evidence"
	"github.com/sallyport/sallyport/internal/cli/export"
	"github.com/sallyport/sallyport/internal/cli/recording"
	"github.com/sallyport/sallyport/internal/transcript"
)

func (p *plugin) export() *cobra.Command {
	o := &export.Options{IOStreams: p.IOStreams, Source: recording.Source{Factory: p.factory}}
	c := p.reading("export {NAME | --from FOLDER} --format FORMAT", "Write sessions in a format that others read", &o.Source, o)
	c.Long = "Write sessions in a format that others read: asciicast (v2, one session), jsonl (the events), csv (a line for each\n" +
		"operation), html (one page by itself, with player and search). An export proves nothing: kubectl access evidence does.\n" +
		"Exit code 2: a session has no end, because it runs or its proxy died. 1: something cannot be believed or read."
	c.Example = `  # A page to look through, by itself
  kubectl access export pay-1423 --format html -o pay-1423.html

  # What was refused, for a spreadsheet
  kubectl access export pay-1423 --format csv -o pay-1423.csv`
	c.Flags().StringVar(&o.Format, "format", "", "One of "+strings.Join(transcript.Formats, ", ")+".")
	c.Flags().StringVarP(&o.File, "output", "o", "", "File to write; standard output without it.")
	offer(c, "format", transcript.Formats...)
	return c
}

func (p *plugin) evidence() *cobra.Command {
	o := &evidence.Create{IOStreams: p.IOStreams, Source: recording.Source{Factory: p.factory}}
	c := p.named("evidence NAME", "Put all that is to be known of a request into one file that can be checked offline", &o.Source.Name, o)
	c.Long = "Put all that is to be known of a request into one tar file: request, policy, target, reviews with their words, held\n" +
		"operations, recordings with their signatures, teardown, and a report to read. It is checked offline, anywhere:\n" +
		"kubectl access evidence verify. It needs the right to list approvalreviews."
	c.Example = `  kubectl access evidence pay-1423 -o pay-1423.tar
  kubectl access evidence verify pay-1423.tar --key recording-key.pem`
	c.Flags().StringVarP(&o.File, "output", "o", "", "File to write; NAME-evidence.tar without it.")
	c.Flags().StringSliceVar(&o.Source.Identities, "identity", nil, "File with age identities, to count in encrypted recordings: the report then quotes them in the clear.")
	c.AddCommand(p.verifyEvidence())
	return c
}

func (p *plugin) verifyEvidence() *cobra.Command {
	o := &evidence.Verify{IOStreams: p.IOStreams}
	c := p.named("verify BUNDLE", "Check a bundle of evidence, without a cluster", &o.Bundle, o)
	c.ValidArgsFunction = nil // files
	c.Long = "Check a bundle of evidence, without a cluster: every file, digest, review, signature and count.\n" +
		"Exit code 0: all of it is proved. 2: nothing contradicts it, but not all of it is proved. 3: the same, and no key was\n" +
		"given, so anybody can have made it. 1: something failed."
	c.Flags().StringSliceVar(&o.Keys, "key", nil, "File with the public keys that recordings are signed with, in PEM: from elsewhere than the bundle.")
	c.Flags().BoolVar(&o.WithoutKey, "without-key", false, "Judge the bundle by itself, with its own keys. It says nothing about who made it.")
	c.Flags().StringSliceVar(&o.Identities, "identity", nil, "File with age identities, to check what is in encrypted recordings.")
	return c
}
