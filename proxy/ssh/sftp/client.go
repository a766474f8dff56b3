package sftp

import (
	"context"
	"fmt"
	"io"
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
	start  string
	failed error
}

// NewClient begins to speak with a server. Who closes the channel ends what waits.
func NewClient(channel io.ReadWriter) (*Client, error) {
	c := &Client{to: channel, frames: frames{from: channel}}
	if _, err := channel.Write(finish([]byte{0, 0, 0, 0, typeInit, 0, 0, 0, version})); err != nil {
		return nil, err
	}
	packet, err := c.frames.next()
	if err != nil {
		return nil, err
	}
	cursor := cursor{rest: packet[4:]}
	if kind, v := cursor.byte(), cursor.uint32(); cursor.bad || kind != typeVersion || v != version {
		return nil, errVersion
	}
	return c, nil
}

var errVersion = fmt.Errorf("the target does not speak version %d of sftp", version)

// Resolve says where a path leads; with follow, also where a link at its end does.
// Relative paths begin at the login's home.
func (c *Client) Resolve(ctx context.Context, path string, follow bool) (Place, error) {
	w := walk{asker: c, home: c.home}
	return w.resolve(ctx, path, follow)
}

func (c *Client) home(ctx context.Context) (string, error) {
	c.mu.Lock()
	home := c.start
	c.mu.Unlock()
	if home != "" {
		return home, nil
	}
	home, err := askHome(ctx, c)
	if err == nil {
		c.mu.Lock()
		c.start = home
		c.mu.Unlock()
	}
	return home, err
}

// askHome asks where the server starts.
func askHome(ctx context.Context, a asker) (string, error) {
	answers, err := a.ask(ctx, []question{{typeRealpath, "."}})
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
		asked = append(asked, pathRequest(q.kind, c.id, q.path, nil)...)
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
	case r.Type == typeAttributes && kind == typeLstat:
		a := r.Attributes
		a.raw = nil
		return answer{attributes: a}, nil
	case r.Type == typeName && r.Count == 1 && kind != typeLstat:
		return answer{name: string(r.Name)}, nil
	}
	return answer{}, errUnasked
}
