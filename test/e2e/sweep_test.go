package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/manifest"
	"github.com/sallyport/sallyport/test/e2e/harness"
)

// What a request left behind that no longer is: as after etcd was restored from
// yesterday.
func TestLIFE4_WhatNoRequestOwnsIsSweptAndWhatAnotherInstallationOwnsIsNot(t *testing.T) {
	t.Parallel()
	d := harness.Open(t).Domain(t)
	task := d.Granted(t, d.Bob, "pay-1", harness.TypeRead)
	mine := task.Role(t)
	lost := uuid.NewString()
	orphan := strings.Replace(mine, digits(task.UID), digits(lost), 1)
	// Another installation's roles have another prefix.
	foreign := "sp_00000000_" + digits(lost)
	t.Cleanup(func() { d.Postgres.Exec(t, "DROP ROLE IF EXISTS "+foreign) })
	for _, role := range []string{orphan, foreign} {
		d.Postgres.Exec(t, "CREATE ROLE "+role+" LOGIN PASSWORD 'lost'")
	}
	labels := manifest.Labels(&v1alpha1.TaskAccessRequest{ObjectMeta: metav1.ObjectMeta{Name: "lost", Namespace: d.Namespace, UID: types.UID(lost)}})
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: manifest.Name(lost), Namespace: v1alpha1.ProxyNamespace, Labels: labels},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 5432}}},
	}
	pod := harness.Pod(v1alpha1.ProxyNamespace, "dial")
	pod.GenerateName, pod.Name, pod.Labels = "", manifest.Name(lost), labels
	for _, object := range []client.Object{service, pod} {
		if err := d.Admin.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	harness.Eventually(t, 150*time.Second, "the sweep", func() (bool, string) {
		left := d.LeftOf(t, lost)
		return !d.Postgres.HasRole(t, orphan) && len(left) == 0, fmt.Sprint("role ", d.Postgres.HasRole(t, orphan), ", objects ", left)
	})
	if !d.Postgres.HasRole(t, mine) || !d.Postgres.HasRole(t, foreign) {
		t.Error("the sweep took what is in use, or another's")
	}
	task.AwaitState(t, v1alpha1.ReasonActive)
}

func digits(uid string) string { return strings.ReplaceAll(uid, "-", "") }
