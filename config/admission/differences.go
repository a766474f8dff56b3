package admission

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// defaults are what the API server fills in where a policy is silent, by field.
var defaults = map[string]any{
	"failurePolicy":      "Fail",
	"matchPolicy":        "Equivalent",
	"namespaceSelector":  map[string]any{},
	"objectSelector":     map[string]any{},
	"scope":              "*",
	"reinvocationPolicy": "Never",
}

// Differences says where an installed policy or binding differs from the wanted
// one: one line a field, none when the two judge alike. A nil installed object is
// missing. What is installed beyond what is wanted counts, a field that this version
// does not know too: it could be an exception.
func Differences(installed, want *unstructured.Unstructured) []string {
	name := want.GetKind() + " " + want.GetName()
	if installed == nil {
		return []string{name + " is not installed"}
	}
	var found []string
	if installed.GetDeletionTimestamp() != nil {
		found = append(found, name+" is being deleted")
	}
	compare(name+": spec", installed.Object["spec"], want.Object["spec"], &found)
	return found
}

func compare(path string, installed, want any, found *[]string) {
	have, isMap := installed.(map[string]any)
	wanted, wantMap := want.(map[string]any)
	if isMap && wantMap {
		compareMaps(path, have, wanted, found)
		return
	}
	haveList, isList := installed.([]any)
	wantList, wantsList := want.([]any)
	if isList && wantsList && len(haveList) == len(wantList) {
		for i := range wantList {
			compare(fmt.Sprintf("%s[%d]", path, i), haveList[i], wantList[i], found)
		}
		return
	}
	if !reflect.DeepEqual(installed, want) {
		*found = append(*found, path+" was changed")
	}
}

func compareMaps(path string, installed, want map[string]any, found *[]string) {
	keys := slices.Collect(maps.Keys(want))
	for key := range installed {
		if _, both := want[key]; !both {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		have, there := installed[key]
		wanted, known := want[key]
		switch {
		case !there:
			*found = append(*found, path+"."+key+" is missing")
		case !known && !reflect.DeepEqual(have, defaults[key]):
			*found = append(*found, path+"."+key+" was added")
		case known:
			compare(path+"."+key, have, wanted, found)
		}
	}
}
