package manifest

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/control"
)

const (
	nonroot         int64 = 65532
	tokenDirectory        = "/var/run/sallyport"
	recordDirectory       = "/recordings"
	spoolDirectory        = "/spool"
	tokenSeconds    int64 = 600
	// graceSeconds is for sessions to end, and their recordings to be stored and signed, by
	// a manager that may have to come back first; a proxy that has done so does not wait.
	graceSeconds int64 = 60
)

// Pod is the proxy of one task: restricted Pod Security, no API token but the one
// for the control channel, its own sub-path of the recordings if they go to the volume,
// no DNS. It holds no credential; deadlineSeconds ends it even if the manager never does.
func Pod(request *v1alpha1.TaskAccessRequest, upstream Upstream, settings Settings, store Store, deadlineSeconds int64) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: meta(request),
		Spec: corev1.PodSpec{
			ServiceAccountName:            Name(string(request.UID)),
			AutomountServiceAccountToken:  new(false),
			EnableServiceLinks:            new(false),
			ActiveDeadlineSeconds:         &deadlineSeconds,
			TerminationGracePeriodSeconds: new(graceSeconds),
			RestartPolicy:                 corev1.RestartPolicyAlways,
			// No resolver at all: addresses come with the grant.
			DNSPolicy:       corev1.DNSNone,
			DNSConfig:       &corev1.PodDNSConfig{Nameservers: []string{"127.0.0.1"}},
			SecurityContext: podSecurity(),
			Containers:      []corev1.Container{container(request, upstream.Protocol, settings, store)},
			Volumes:         volumes(settings, store),
		},
	}
}

func podSecurity() *corev1.PodSecurityContext {
	return &corev1.PodSecurityContext{
		RunAsNonRoot: new(true),
		RunAsUser:    new(nonroot),
		RunAsGroup:   new(nonroot),
		FSGroup:      new(nonroot),
		// Not the whole volume again for every task: it holds all recordings.
		FSGroupChangePolicy: new(corev1.FSGroupChangeOnRootMismatch),
		SeccompProfile:      &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
}

func containerSecurity() *corev1.SecurityContext {
	return &corev1.SecurityContext{
		AllowPrivilegeEscalation: new(false),
		ReadOnlyRootFilesystem:   new(true),
		RunAsNonRoot:             new(true),
		Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		SeccompProfile:           &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
}

func container(request *v1alpha1.TaskAccessRequest, protocol string, settings Settings, store Store) corev1.Container {
	c := corev1.Container{
		Name:  "proxy",
		Image: settings.Image,
		Args: []string{
			"--protocol=" + protocol,
			fmt.Sprintf("--listen=:%d", ListenPort(protocol)),
			fmt.Sprintf("--health-listen=:%d", HealthPort),
			"--control-address=" + settings.ControlAddress,
			"--control-server-name=" + settings.ControlServerName,
			"--token-file=" + tokenDirectory + "/token",
			"--spool-dir=" + spoolDirectory,
			"--apiserver-address=" + settings.APIServerAddress,
		},
		Env: []corev1.EnvVar{{Name: "SALLYPORT_CONTROL_CA", Value: settings.ControlCA}},
		Ports: []corev1.ContainerPort{
			{Name: protocol, ContainerPort: ListenPort(protocol), Protocol: corev1.ProtocolTCP},
		},
		Resources:       resources(),
		SecurityContext: containerSecurity(),
		ReadinessProbe: &corev1.Probe{
			ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
				Path: "/readyz", Port: intstr.FromInt32(HealthPort),
			}},
			PeriodSeconds: 1, TimeoutSeconds: 1, FailureThreshold: 3,
		},
		VolumeMounts: []corev1.VolumeMount{
			{Name: "control-token", MountPath: tokenDirectory, ReadOnly: true},
			{Name: "spool", MountPath: spoolDirectory},
		},
	}
	if store.isVolume() {
		c.Args = append(c.Args, "--recording-dir="+recordDirectory)
		if settings.Quota > 0 {
			c.Args = append(c.Args, fmt.Sprintf("--recording-quota=%d", settings.Quota))
		}
		c.VolumeMounts = append(c.VolumeMounts, recordings(string(request.UID)))
	}
	return c
}

// recordings mounts what is of one task, and nothing else of the volume.
func recordings(uid string) corev1.VolumeMount {
	return corev1.VolumeMount{Name: "recordings", MountPath: recordDirectory, SubPath: uid}
}

func volumes(settings Settings, store Store) []corev1.Volume {
	all := []corev1.Volume{
		{Name: "control-token", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
			DefaultMode: new(int32(0o440)),
			Sources: []corev1.VolumeProjection{{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{
				Audience: control.Audience, ExpirationSeconds: new(tokenSeconds), Path: "token",
			}}},
		}}},
		// It outlives the container, not the pod: durability Process of a bucket.
		{Name: "spool", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: &spoolLimit}}},
	}
	if store.isVolume() {
		all = append(all, claim(settings))
	}
	return all
}

func claim(settings Settings) corev1.Volume {
	return corev1.Volume{Name: "recordings", VolumeSource: corev1.VolumeSource{
		PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: settings.Claim},
	}}
}
