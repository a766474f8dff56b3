package access

import (
	"github.com/spf13/cobra"

	"github.com/sallyport/sallyport/internal/cli/recording"
	"github.com/sallyport/sallyport/internal/cli/replay"
	"github.com/sallyport/sallyport/internal/cli/search"
	"github.com/sallyport/sallyport/internal/cli/sessions"
	"github.com/sallyport/sallyport/internal/cli/tail"
	"github.com/sallyport/sallyport/internal/cli/verify"
)

func (p *plugin) sessions() *cobra.Command {
	o := &sessions.Options{IOStreams: p.IOStreams, Source: recording.Source{Factory: p.factory}}
	c := p.reading("sessions [NAME]", "List the sessions that were recorded", &o.Source, o)
	c.Long = "List the sessions of a request that were recorded; without one, of every request in the namespace.\n" +
		"SIGNED says whether signatures lie beside the recording: kubectl access verify checks them."
	c.Flags().BoolVar(&o.Count, "count", false, "Read long recordings whole, to count all operations.")
	c.Flags().StringVarP(&o.Output, "output", "o", "", "Output format: json.")
	offer(c, "output", "json")
	return c
}

func (p *plugin) replay() *cobra.Command {
	o := &replay.Options{IOStreams: p.IOStreams, Source: recording.Source{Factory: p.factory}}
	c := p.reading("replay {NAME | --from FOLDER}", "Print what happened in a request's sessions", &o.Source, o)
	c.Example = `  # All that happened, at once
  kubectl access replay pay-1423

  # As it happened, four times as fast, pauses cut, from event 42 on
  kubectl access replay pay-1423 --session 0195… --speed 4 --idle-skip --seek '#42'`
	f := c.Flags()
	f.StringVarP(&o.Output, "output", "o", "", "Output format: text or jsonl.")
	f.Float64Var(&o.Speed, "speed", replay.SpeedOfSession, "How many times faster than it happened: 0 is at once, 1 as it happened. "+
		"Without it, terminals are drawn as it happened, and all else is printed at once.")
	f.Lookup("speed").DefValue = "0" // prints no default
	f.DurationVar(&o.MaxIdle, "max-idle", 0, "Cut longer pauses to this.")
	f.BoolVar(&o.IdleSkip, "idle-skip", false, "Cut pauses to a second.")
	f.StringVar(&o.Seek, "seek", "", "Begin at an event (#42), so long after the beginning (2m30s), or at a time (14:05:30, 2026-03-01T14:05:30Z).")
	offer(c, "output", replay.OutputText, replay.OutputJSONL)
	return c
}

func (p *plugin) tail() *cobra.Command {
	o := &tail.Options{IOStreams: p.IOStreams, Source: recording.Source{Factory: p.factory}}
	c := p.reading("tail NAME", "Follow a session as it goes on", &o.Source, o)
	c.Long = "Follow a session as it goes on, until it ends. On a volume you see each operation within a second;\n" +
		"in a bucket, and where recordings are encrypted, when its segment is sealed: up to a minute later."
	c.Flags().BoolVar(&o.New, "new", false, "Leave out what has happened already.")
	c.Flags().StringVarP(&o.Output, "output", "o", "", "Output format: text or jsonl.")
	offer(c, "output", replay.OutputText, replay.OutputJSONL)
	return c
}

func (p *plugin) search() *cobra.Command {
	o := &search.Options{IOStreams: p.IOStreams, Source: recording.Source{Factory: p.factory}, Now: p.factory.Now}
	c := p.reading("search [NAME]", "Find operations in recordings", &o.Source, o)
	c.Long = "Find operations in the recordings of a request; without one, of every request in the namespace.\n" +
		"EVENT is what kubectl access replay --seek takes."
	c.Example = `  # Who wrote to orders in the last week?
  kubectl access search --relation public.orders --kind update --since 168h

  # What was refused, as JSON lines
  kubectl access search --verdict Deny -o jsonl`
	f := c.Flags()
	f.StringVar(&o.Task, "task", "", "The task's id, or the request's name.")
	f.StringVar(&o.User, "user", "", "Username of who did it. (Here it is not kubectl's own --user: choose that by --context.)")
	f.StringVar(&o.Relation, "relation", "", "A relation that is read or written: orders, or public.orders.")
	f.StringVar(&o.Text, "text", "", "Text in statements, values, messages and terminals, in any case.")
	f.StringVar(&o.Verdict, "verdict", "", "Allow, Deny, Hold or Pending.")
	f.StringVar(&o.Kind, "kind", "", "Kind of the operation: select, update, …")
	f.StringVar(&o.Since, "since", "", "Not before: how long ago (2h), a day, or a time.")
	f.StringVar(&o.Until, "until", "", "Not after: how long ago (2h), a day, or a time.")
	f.IntVar(&o.Limit, "limit", 0, "How many results are enough; 0 is all.")
	f.StringVarP(&o.Output, "output", "o", "", "Output format: jsonl.")
	offer(c, "output", "jsonl")
	offer(c, "verdict", search.Verdicts()...)
	return c
}

func (p *plugin) verify() *cobra.Command {
	o := &verify.Options{IOStreams: p.IOStreams, Source: recording.Source{Factory: p.factory}}
	c := p.reading("verify {NAME | --from FOLDER}", "Check that recordings are whole, unchanged and signed", &o.Source, o)
	c.Long = "Check that recordings are whole, unchanged and signed: against the manager's signatures, and, with NAME,\n" +
		"against the heads that the proxy reported while it wrote. With --from and --key it needs no cluster.\n" +
		"Exit code 0: all are complete, whole and signed. 1: something was changed, removed or cannot be checked. 2: some\n" +
		"have no end, because the session runs or its proxy died. 3: some are whole, but not all of them is signed, or no key\n" +
		"is known to check that with."
	c.Flags().StringSliceVar(&o.KeyFiles, "key", nil, "File with the public keys that may have signed, in PEM; without it, those that the cluster publishes.")
	c.Flags().BoolVar(&o.WithoutKey, "without-key", false, "Take what is complete and whole for good where no key is known. It says nothing about who wrote it.")
	return c
}

// reading is a verb that reads recordings: of a request, of one that is gone, or offline.
func (p *plugin) reading(use, short string, source *recording.Source, v verb) *cobra.Command {
	c := p.named(use, short, &source.Name, v)
	c.Args = cobra.MaximumNArgs(1)
	f := c.Flags()
	f.StringVar(&source.From, "from", "", "A folder or a tar file with recordings, instead of the cluster's.")
	f.StringVar(&source.UID, "uid", "", "UID of a request that was deleted: with NAME that it had, or without, for who may read in all namespaces.")
	f.StringVar(&source.Session, "session", "", "One session; all without it.")
	f.StringSliceVar(&source.Identities, "identity", nil, "File with age identities (AGE-SECRET-KEY-…), for recordings that are encrypted.")
	_ = c.RegisterFlagCompletionFunc("session", p.completeSessions(source)) // fails only for a flag that is not there
	return c
}

// offer completes a flag with its few values.
func offer(c *cobra.Command, flag string, values ...string) {
	// Fails only for a flag that is not there.
	_ = c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}
