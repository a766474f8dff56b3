package main

import (
	"flag"
	"fmt"
	"os"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"

	"github.com/sallyport/sallyport/internal/approval"
	"github.com/sallyport/sallyport/internal/audit"
)

type options struct {
	proxyImage       string
	claim            string
	quota            string
	controlListen    string
	healthListen     string
	metricsListen    string
	identitiesFile   string
	leaderElect      bool
	maxOpenPerPerson int
	workers          int
	sweepInterval    time.Duration
	lossOfLease      time.Duration
	audit            audit.Flags
}

func (o *options) bind(flags *flag.FlagSet) {
	flags.StringVar(&o.proxyImage, "proxy-image", "", "image of the proxy pods")
	flags.StringVar(&o.claim, "recordings-claim", "sallyport-recordings", "PersistentVolumeClaim of the recordings, in the proxies' namespace")
	flags.StringVar(&o.quota, "recordings-quota", "0", "what one task's recordings may take of that volume, as a quantity: 10Gi; 0 is no bound but the volume's")
	flags.StringVar(&o.controlListen, "control-listen", ":8443", "where proxies reach the control channel")
	flags.StringVar(&o.healthListen, "health-listen", ":8081", "where the kubelet asks for health")
	flags.StringVar(&o.metricsListen, "metrics-listen", "0", "where metrics are served; 0 is nowhere")
	flags.StringVar(&o.identitiesFile, "identities-file", "", "YAML of people with their usernames: {alice: [alice@example.com]}; one person has one vote under all of them")
	flags.BoolVar(&o.leaderElect, "leader-elect", true, "let one of several replicas lead")
	flags.IntVar(&o.maxOpenPerPerson, "max-open-per-person", 10, "open requests, and so proxy pods, that one person may have at once")
	flags.IntVar(&o.workers, "workers", 8, "requests worked on at once")
	flags.DurationVar(&o.sweepInterval, "sweep-interval", time.Minute, "how often orphans are looked for")
	flags.DurationVar(&o.lossOfLease, "lease-duration", 15*time.Second, "how long a dead leader's lease lasts")
	o.audit.Bind(flags)
}

func (o *options) check() error {
	switch {
	case o.proxyImage == "":
		return fmt.Errorf("--proxy-image must be given")
	case o.maxOpenPerPerson < 1 || o.workers < 1:
		return fmt.Errorf("--max-open-per-person and --workers must be at least 1")
	case o.sweepInterval < time.Second || o.lossOfLease < 3*time.Second:
		return fmt.Errorf("--sweep-interval must be at least 1s, --lease-duration at least 3s")
	}
	if _, err := o.quotaBytes(); err != nil {
		return err
	}
	return nil
}

// quotaBytes is the quota in bytes.
func (o *options) quotaBytes() (int64, error) {
	quota, err := resource.ParseQuantity(o.quota)
	if err != nil || quota.Sign() < 0 {
		return 0, fmt.Errorf("--recordings-quota must be a quantity like 10Gi, or 0")
	}
	return quota.Value(), nil
}

// identities reads who is known under which usernames; without a file everybody has
// one.
func (o *options) identities() (approval.Identities, error) {
	people := map[string][]string{}
	if o.identitiesFile != "" {
		content, err := os.ReadFile(o.identitiesFile)
		if err != nil {
			return approval.Identities{}, fmt.Errorf("--identities-file: %w", err)
		}
		if err := yaml.UnmarshalStrict(content, &people); err != nil {
			return approval.Identities{}, fmt.Errorf("--identities-file %s: %w", o.identitiesFile, err)
		}
	}
	return approval.NewIdentities(people)
}
