package ssh

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// resolveTimeout bounds how long the target may take to say where paths lead.
const resolveTimeout = 10 * time.Second

// resolve asks the target's own sftp server where paths lead, by SSH_FXP_REALPATH
// (draft-ietf-secsh-filexfer-02, section 6.11): links are followed there, and relative
// paths, like those that begin with ~/, are the login's home's.
func (c *connection) resolve(paths []string) ([]string, error) {
	channel, requests, err := c.up.Client.OpenChannel("session", nil)
	if err != nil {
		return nil, errors.New("where its paths lead cannot be told: the target opens no session")
	}
	defer func() { _ = channel.Close() }()
	c.channels.Go(func() { ssh.DiscardRequests(requests) })
	timer := time.AfterFunc(resolveTimeout, func() { _ = channel.Close() })
	defer timer.Stop()
	ok, err := channel.SendRequest("subsystem", true, ssh.Marshal(&subsystemRequest{Name: kindSFTP}))
	if err != nil || !ok {
		return nil, errors.New("where its paths lead cannot be told: the target has no sftp")
	}
	if err := ask(channel, 1, []byte{0, 0, 0, 3}); err != nil {
		return nil, err
	}
	if kind, _, err := answer(channel); err != nil || kind != 2 {
		return nil, errors.New("where its paths lead cannot be told: the target's sftp does not answer")
	}
	resolved := make([]string, len(paths))
	for i, p := range paths {
		if resolved[i], err = realpath(channel, uint32(i), p); err != nil {
			return nil, err
		}
	}
	return resolved, nil
}

func realpath(channel ssh.Channel, id uint32, name string) (string, error) {
	if home, ok := strings.CutPrefix(name, "~"); ok && (home == "" || home[0] == '/') {
		name = "." + home
	}
	// A folder that rsync is to make has a slash behind it, and REALPATH would look for it.
	if trimmed := strings.TrimRight(name, "/"); trimmed != "" {
		name = trimmed
	}
	request := binary.BigEndian.AppendUint32(nil, id)
	request = binary.BigEndian.AppendUint32(request, uint32(len(name)))
	if err := ask(channel, 16, append(request, name...)); err != nil {
		return "", err
	}
	kind, body, err := answer(channel)
	if err != nil {
		return "", err
	}
	// SSH_FXP_NAME: id, count, then the name. Anything else is a refusal.
	if kind != 104 || len(body) < 12 || !bytes.Equal(body[:4], request[:4]) {
		return "", fmt.Errorf("where the path %s leads cannot be told: the target does not find it", clean(name))
	}
	n := binary.BigEndian.Uint32(body[8:12])
	if uint64(n) > uint64(len(body)-12) {
		return "", errors.New("the target's sftp answers nonsense")
	}
	resolved := string(body[12 : 12+n])
	if !strings.HasPrefix(resolved, "/") || path.Clean(resolved) != resolved {
		return "", fmt.Errorf("where the path %s leads cannot be told: the target answers with one that is not canonical", clean(name))
	}
	return resolved, nil
}

// maxPacket bounds an answer about one path.
const maxPacket = 64 << 10

func ask(to io.Writer, kind byte, body []byte) error {
	packet := binary.BigEndian.AppendUint32(nil, uint32(1+len(body)))
	_, err := to.Write(append(append(packet, kind), body...))
	return err
}

func answer(from io.Reader) (kind byte, body []byte, err error) {
	var head [4]byte
	if _, err := io.ReadFull(from, head[:]); err != nil {
		return 0, nil, errors.New("the target's sftp does not answer")
	}
	n := binary.BigEndian.Uint32(head[:])
	if n < 1 || n > maxPacket {
		return 0, nil, errors.New("the target's sftp answers nonsense")
	}
	body = make([]byte, n)
	if _, err := io.ReadFull(from, body); err != nil {
		return 0, nil, errors.New("the target's sftp does not answer")
	}
	return body[0], body[1:], nil
}
