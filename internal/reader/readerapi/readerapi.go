// Package readerapi is the API of the recordings' reader, as its clients see it:
//
//	GET /apis/subresources.access.sallyport.dev/v1alpha1/namespaces/{namespace}/taskaccessrequests/{name}/recording
//
// lists the sessions of a request, and the public keys that sign recordings. With
// ?session=<id> it lists that session's objects; with &object=<object>&offset=<byte> it
// gives MaxChunk bytes of one, and fewer only at its end. A client reads on at the
// offset that it has reached: the API server cuts a request after a minute.
//
//	GET /apis/subresources.access.sallyport.dev/v1alpha1/taskaccessrequests/{uid}/recording
//
// is the same by the UID of a request, also of one that is deleted, and takes the right
// for all namespaces. With ?uid=<UID> the first path means the request that had that name
// and UID, in the right's own namespace.
package readerapi

import (
	"net/url"
	"strings"

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
	// The parameters of the query.
	ParameterUID     = "uid"
	ParameterSession = "session"
	ParameterObject  = "object"
	ParameterOffset  = "offset"
)

// MaxChunk is what one answer holds, in bytes: at 140 kB/s it still arrives within the
// API server's minute.
const MaxChunk = 8 << 20

// SchemeGroupVersion is the group and version of the API.
var SchemeGroupVersion = schema.GroupVersion{Group: Group, Version: Version}

// RecordingList is the recordings of one request.
type RecordingList struct {
	metav1.TypeMeta `json:",inline"`
	// RequestUID is the UID of the request that the name stands for now.
	RequestUID string `json:"requestUID"`
	// Store is the name of the store that holds them; empty if none does.
	Store string `json:"store,omitempty"`
	// Items by session, sorted.
	Items []Recording `json:"items"`
	// Removed is when retention removed them, if it has.
	Removed *metav1.Time `json:"removed,omitempty"`
	// Keys are the public keys that recordings are signed with, PEM (PKIX), the
	// present one and earlier ones.
	Keys []string `json:"keys,omitempty"`
}

// Recording is one session's.
type Recording struct {
	Session string `json:"session"`
}

// ObjectList is what one session's recording consists of.
type ObjectList struct {
	metav1.TypeMeta `json:",inline"`
	RequestUID      string `json:"requestUID"`
	Session         string `json:"session"`
	// Items by name, sorted.
	Items []Object `json:"items"`
}

// Object is one object of a recording.
type Object struct {
	// Name in the query: "00000001.seg".
	Name string `json:"name"`
	// Size in bytes.
	Size int64 `json:"size"`
}

// Short is an object's name in the query, by its name in a store:
// "<session>/00000001.seg" is "00000001.seg", "<session>.rec" stays.
func Short(session, name string) string { return strings.TrimPrefix(name, session+"/") }

// Full is an object's name in a store, by its name in the query.
func Full(session, short string) string {
	if short == session+".rec" {
		return short
	}
	return session + "/" + short
}

// Path is where the recordings of a request are.
func Path(namespace, name string) string {
	return versionPath + "/namespaces/" + url.PathEscape(namespace) + "/" + Resource + "/" + url.PathEscape(name) + "/" + Subresource
}

// PathOfUID is where they are by the request's UID.
func PathOfUID(uid string) string {
	return versionPath + "/" + Resource + "/" + url.PathEscape(uid) + "/" + Subresource
}

const versionPath = "/apis/" + Group + "/" + Version
