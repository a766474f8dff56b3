package lookup

import (
	"context"
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

func TestWhatIsNotThereIsNoErrorAndWhatCannotBeReadIs(t *testing.T) {
	t.Parallel()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "payments", Name: "proxy"}}
	errAPI := errors.New("the API server does not answer")
	silent := interceptor.Funcs{
		Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			return errAPI
		},
	}
	for name, test := range map[string]struct {
		name  string
		calls interceptor.Funcs
		found bool
		err   error
	}{
		"there":     {name: "proxy", found: true},
		"not there": {name: "other"},
		"unknown":   {name: "proxy", calls: silent, err: errAPI},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := fake.NewClientBuilder().WithObjects(pod).WithInterceptorFuncs(test.calls).Build()
			found, err := Find[corev1.Pod](t.Context(), c, "payments", test.name)
			if (found != nil) != test.found || !errors.Is(err, test.err) {
				t.Errorf("found %v, error %v; want found %t, error %v", found, err, test.found, test.err)
			}
		})
	}
}
