package reader

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/sallyport/sallyport/internal/reader/readerapi"
	"github.com/sallyport/sallyport/internal/record/store"
)

const (
	groupPath   = "/apis/" + readerapi.Group
	versionPath = groupPath + "/" + readerapi.Version
)

var (
	errNoSuchPath = apierrors.NewGenericServerResponse(http.StatusNotFound, "get", resource(), "", "there is nothing at this path", 0, true)
	errQuery      = apierrors.NewBadRequest("the query takes session (an identifier), with it object (00000001.seg), and with both offset (a number of bytes); beside a name also uid")
)

// asked is what a caller wants to read.
type asked struct {
	// namespace and name of the request, or uid alone, or all of them for one that may be
	// deleted.
	namespace, name, uid string
	// session is empty for the list of sessions, object (as a store names it) for the
	// list of its objects.
	session, object string
	offset          int64
}

// subject is what the caller calls the request.
func (a asked) subject() string {
	if a.name != "" {
		return a.name
	}
	return a.uid
}

// parse reads a URL in its one plain spelling: what the API server authorised and what
// is served here must be the same.
func parse(u *url.URL) (asked, error) {
	rest, ok := strings.CutPrefix(u.Path, versionPath+"/")
	if !ok || u.RawPath != "" {
		return asked{}, errNoSuchPath
	}
	what, ok := request(strings.Split(rest, "/"))
	if !ok {
		return asked{}, errNoSuchPath
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return asked{}, errQuery
	}
	for key, values := range query {
		if len(values) != 1 {
			return asked{}, errQuery
		}
		switch key {
		case readerapi.ParameterUID:
			if what.uid != "" {
				return asked{}, errQuery
			}
			what.uid = values[0]
			err = store.CheckIdentifier(what.uid)
		case readerapi.ParameterSession:
			what.session = values[0]
			err = store.CheckIdentifier(what.session)
		case readerapi.ParameterObject:
			what.object = values[0]
		case readerapi.ParameterOffset:
			what.offset, err = strconv.ParseInt(values[0], 10, 64)
		default:
			err = errQuery
		}
		if err != nil || what.offset < 0 {
			return asked{}, errQuery
		}
	}
	if query.Has(readerapi.ParameterOffset) && what.object == "" {
		return asked{}, errQuery
	}
	if !query.Has(readerapi.ParameterObject) {
		return what, nil
	}
	what.object = readerapi.Full(what.session, what.object)
	if name, err := store.ParseName(what.object); err != nil || name.Session != what.session {
		return asked{}, errQuery
	}
	return what, nil
}

// request is whose recordings a path names: a request of a namespace, or a UID.
func request(parts []string) (asked, bool) {
	label := func(s string) bool { return len(validation.IsDNS1123Label(s)) == 0 }
	subdomain := func(s string) bool { return len(validation.IsDNS1123Subdomain(s)) == 0 }
	switch {
	case len(parts) == 5 && parts[0] == "namespaces" && label(parts[1]) && parts[2] == readerapi.Resource && subdomain(parts[3]) &&
		parts[4] == readerapi.Subresource:
		return asked{namespace: parts[1], name: parts[3]}, true
	case len(parts) == 3 && parts[0] == readerapi.Resource && subdomain(parts[1]) && store.CheckIdentifier(parts[1]) == nil &&
		parts[2] == readerapi.Subresource:
		return asked{uid: parts[1]}, true
	}
	return asked{}, false
}
