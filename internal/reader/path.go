package reader

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/sallyport/sallyport/internal/reader/readerapi"
	"github.com/sallyport/sallyport/internal/record"
)

const (
	groupPath   = "/apis/" + readerapi.Group
	versionPath = groupPath + "/" + readerapi.Version
)

var (
	errNoSuchPath = apierrors.NewGenericServerResponse(http.StatusNotFound, "get", resource(), "", "there is nothing at this path", 0, true)
	errQuery      = apierrors.NewBadRequest("the query takes session (an identifier) and, with it, offset (a number of bytes)")
)

// asked is what a caller wants to read.
type asked struct {
	namespace, name string
	// session is empty for the list.
	session string
	offset  int64
}

// parse reads a URL in its one plain spelling: what the API server authorised and what
// is served here must be the same.
func parse(u *url.URL) (asked, error) {
	rest, ok := strings.CutPrefix(u.Path, versionPath+"/namespaces/")
	if !ok || u.RawPath != "" {
		return asked{}, errNoSuchPath
	}
	parts := strings.Split(rest, "/")
	if len(parts) != 4 || parts[1] != readerapi.Resource || parts[3] != readerapi.Subresource ||
		len(validation.IsDNS1123Label(parts[0])) != 0 || len(validation.IsDNS1123Subdomain(parts[2])) != 0 {
		return asked{}, errNoSuchPath
	}
	what := asked{namespace: parts[0], name: parts[2]}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return asked{}, errQuery
	}
	for key, values := range query {
		if len(values) != 1 {
			return asked{}, errQuery
		}
		switch key {
		case readerapi.ParameterSession:
			what.session = values[0]
			err = record.CheckIdentifier(what.session)
		case readerapi.ParameterOffset:
			what.offset, err = strconv.ParseInt(values[0], 10, 64)
		default:
			err = errQuery
		}
		if err != nil || what.offset < 0 {
			return asked{}, errQuery
		}
	}
	if query.Has(readerapi.ParameterOffset) && what.session == "" {
		return asked{}, errQuery
	}
	return what, nil
}
