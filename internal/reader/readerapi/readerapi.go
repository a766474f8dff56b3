// Package readerapi is the API of the recordings' reader, as its clients see it:
//
//	GET /apis/subresources.access.sallyport.dev/v1alpha1/namespaces/{namespace}/taskaccessrequests/{name}/recording
//
// lists the recordings of a request; with ?session=<id>&offset=<byte> it gives at most
// MaxChunk bytes of one, and none at its end. A client reads on at the offset that it
// has reached: the API server cuts a request after a minute.
package readerapi

import (
	"net/url"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// Names of the API.
const (
	Group       = "subresources." + v1alpha1.GroupName
	Version     = "v1alpha1"
	Resource    = "taskaccessrequests"
	Subresource = "recording"
	// ParameterSession and ParameterOffset are the query's.
	ParameterSession = "session"
	ParameterOffset  = "offset"
)

// MaxChunk is the most that one answer holds, in bytes: at 140 kB/s it still arrives
// within the API server's minute.
const MaxChunk = 8 << 20

// SchemeGroupVersion is the group and version of the API.
var SchemeGroupVersion = schema.GroupVersion{Group: Group, Version: Version}

// RecordingList is the recordings of one request.
type RecordingList struct {
	metav1.TypeMeta `json:",inline"`
	// RequestUID is the UID of the request that the name stands for now.
	RequestUID string `json:"requestUID"`
	// Items by session, sorted.
	Items []Recording `json:"items"`
}

// Recording is one session's.
type Recording struct {
	Session string `json:"session"`
	Bytes   int64  `json:"bytes"`
}

// Path is where the recordings of a request are.
func Path(namespace, name string) string {
	return "/apis/" + Group + "/" + Version + "/namespaces/" + url.PathEscape(namespace) +
		"/" + Resource + "/" + url.PathEscape(name) + "/" + Subresource
}
