package reader

import (
	"k8s.io/apiserver/pkg/authentication/user"

	"github.com/sallyport/sallyport/internal/audit"
)

// audited is one question to the reader, as the audit trail has it: no contents.
type audited struct {
	subject audit.Subject
	read    audit.Read
}

func newAudited(who user.Info, what asked) audited {
	return audited{
		audit.Subject{Namespace: what.namespace, Request: what.name, UID: what.uid},
		audit.Read{User: who.GetName(), UserUID: who.GetUID(), Session: what.session, Object: what.object, Offset: what.offset},
	}
}

func (h *Handler) audit(a *audited) {
	h.Audit.Emit(audit.Once(audit.RecordingRead, a.subject, h.Now(), a.read))
}
