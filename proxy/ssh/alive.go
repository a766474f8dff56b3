package ssh

import "golang.org/x/crypto/ssh"

// alive answers a target that asks on a channel whether its client is there (sshd's
// ClientAliveInterval), also while nothing runs on it yet: a program that is held may wait
// for longer than sshd does. All else is for who reads what it returns.
func (c *connection) alive(asked <-chan *ssh.Request) <-chan *ssh.Request {
	rest := make(chan *ssh.Request)
	c.channels.Go(func() {
		defer close(rest)
		for request := range asked {
			if request.Type == keepalive {
				_ = request.Reply(true, nil)
				continue
			}
			select {
			case rest <- request:
			case <-c.ctx.Done():
				_ = request.Reply(false, nil)
			}
		}
	})
	return rest
}
