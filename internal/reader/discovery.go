package reader

import (
	"net/http"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport/sallyport/internal/reader/readerapi"
)

// discover answers what says which API this is: public, the same for all, and asked
// for by the API server to find out whether we are up. It never asks anybody else.
func discover(w http.ResponseWriter, r *http.Request) bool {
	version := metav1.GroupVersionForDiscovery{GroupVersion: readerapi.SchemeGroupVersion.String(), Version: readerapi.Version}
	group := metav1.APIGroup{
		TypeMeta: metav1.TypeMeta{Kind: "APIGroup", APIVersion: "v1"},
		Name:     readerapi.Group, Versions: []metav1.GroupVersionForDiscovery{version}, PreferredVersion: version,
	}
	switch r.URL.Path {
	case "/apis":
		answer(w, http.StatusOK, metav1.APIGroupList{
			TypeMeta: metav1.TypeMeta{Kind: "APIGroupList", APIVersion: "v1"}, Groups: []metav1.APIGroup{group},
		})
	case groupPath:
		answer(w, http.StatusOK, group)
	case versionPath:
		answer(w, http.StatusOK, metav1.APIResourceList{
			TypeMeta:     metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"},
			GroupVersion: readerapi.SchemeGroupVersion.String(),
			APIResources: []metav1.APIResource{{
				Name: readerapi.Resource + "/" + readerapi.Subresource, Namespaced: true, Kind: "RecordingList", Verbs: metav1.Verbs{"get"},
			}},
		})
	case "/healthz", "/livez", "/readyz":
		w.Header().Set("Content-Type", "text/plain")
		_, _ = w.Write([]byte("ok"))
	default:
		return false
	}
	return true
}
