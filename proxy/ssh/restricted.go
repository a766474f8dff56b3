package ssh

import "errors"

// runRestricted is the proxy's own line editor.
func (s *sessionChannel) runRestricted(p program) bool {
	err := errors.New("this proxy has no restricted shell")
	s.result(p.operation, "", 0, err)
	s.tell(err.Error())
	return false
}
