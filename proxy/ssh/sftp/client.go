package sftp

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
)

// Client asks a target where paths lead, in an sftp channel of its own. Its methods may
// be called at the same time.
type Client struct {
	mu     sync.Mutex
	to     io.Writer
	frames frames
	id     uint32
	failed error
	// login is whose home relative paths begin with; expands says that the server tells
	// where it is, and start is what it said.
	login   string
	expands bool
	start   string
}

// NewClient begins to speak with a server, for a login on it. Who closes the channel ends
// what waits.
func NewClient(channel io.ReadWriter, login string) (*Client, error) {
	c := &Client{to: channel, frames: frames{from: channel}, login: login}
	if _, err := channel.Write(finish([]byte{0, 0, 0, 0, typeInit, 0, 0, 0, version})); err != nil {
		return nil, err
	}
	packet, err := c.frames.next()
	if err != nil {
		return nil, err
	}
	offered, err := greeting(packet)
	if err != nil {
		return nil, err
	}
	c.expands = slices.Contains(offered, extExpandPath)
	return c, nil
}

var errVersion = fmt.Errorf("the target does not speak version %d of sftp", version)

// greeting reads what a server says first: the extensions that it has, as far as they
// are understood.
func greeting(packet []byte) (offered []string, err error) {
	c := cursor{rest: packet[4:]}
	if kind, v := c.byte(), c.uint32(); c.bad || kind != typeVersion || v != version {
		return nil, errVersion
	}
	for len(c.rest) > 0 {
		name, data := string(c.string(maxName)), string(c.string(maxPacket))
		if c.bad {
			return nil, errMalformed
		}
		if known, ok := extensions[name]; ok && known == data && !slices.Contains(offered, name) {
			offered = append(offered, name)
		}
	}
	return offered, nil
}

// Resolve says where a path leads that a program of the login would open; with follow,
// also where a link at its end does. Relative paths begin at the login's home.
func (c *Client) Resolve(ctx context.Context, path string, follow bool) (Place, error) {
	w := walk{asker: c, home: c.Home}
	return w.resolve(ctx, path, follow)
}

// Home is the folder that programs of the login begin in. The server's own start is the
// same, unless it was told another (sftp-server -d) or there is none: so the server is
// asked for the login's by name, where it can be, and whether one can go there.
func (c *Client) Home(ctx context.Context) (string, error) {
	c.mu.Lock()
	home := c.start
	c.mu.Unlock()
	if home != "" {
		return home, nil
	}
	asked := question{typeRealpath, "."}
	if c.expands {
		asked = question{typeExtended, "~" + c.login}
	}
	home, err := askHome(ctx, c, asked)
	if err != nil {
		return "", err
	}
	answers, err := c.ask(ctx, []question{{typeLstat, home + "/."}})
	if err != nil {
		return "", err
	}
	if a := &answers[0]; a.status != statusOK || !a.attributes.is(modeFolder) {
		return "", untold("the login has no home that it can enter")
	}
	c.mu.Lock()
	c.start = home
	c.mu.Unlock()
	return home, nil
}

// askHome asks where relative paths begin.
func askHome(ctx context.Context, a asker, asked question) (string, error) {
	answers, err := a.ask(ctx, []question{asked})
	if err != nil {
		return "", err
	}
	if answers[0].status != statusOK || !strings.HasPrefix(answers[0].name, "/") {
		return "", untold("the target does not say where relative paths begin")
	}
	return answers[0].name, checkPath(answers[0].name)
}

func (c *Client) ask(_ context.Context, questions []question) ([]answer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed != nil {
		return nil, c.failed
	}
	answers, err := c.exchange(questions)
	c.failed = err
	return answers, err
}

func (c *Client) exchange(questions []question) ([]answer, error) {
	var asked []byte
	first := c.id
	for _, q := range questions {
		asked = append(asked, q.packet(c.id)...)
		c.id++
	}
	if _, err := c.to.Write(asked); err != nil {
		return nil, err
	}
	answers := make([]answer, len(questions))
	seen := make([]bool, len(questions))
	for range questions {
		packet, err := c.frames.next()
		if err != nil {
			return nil, err
		}
		r, err := ParseResponse(packet[4:])
		if err != nil {
			return nil, err
		}
		i := r.ID - first
		if uint64(i) >= uint64(len(questions)) || seen[i] {
			return nil, errUnasked
		}
		seen[i] = true
		if answers[i], err = answerOf(questions[i].kind, &r); err != nil {
			return nil, err
		}
	}
	return answers, nil
}

// answerOf reads the answer to a question.
func answerOf(kind byte, r *Response) (answer, error) {
	switch {
	case r.Type == typeStatus && r.Status != statusOK:
		return answer{status: r.Status}, nil
	case r.Type == typeAttributes && (kind == typeLstat || kind == typeFstat):
		a := r.Attributes
		a.raw = nil
		return answer{attributes: a}, nil
	case r.Type == typeName && r.Count == 1 && kind != typeLstat && kind != typeFstat:
		return answer{name: string(r.Name)}, nil
	}
	return answer{}, errUnasked
}
