package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport/sallyport/hack/cluster/internal/layout"
	"github.com/sallyport/sallyport/hack/cluster/internal/sshd"
)

var sshBeside = beside{name: sshd.Name, prepare: sshd.Prepare, answers: identifiesItself, info: sshd.InfoPath}

// identifiesItself reads the first line that a server says (RFC 4253, 4.2).
func identifiesItself(ctx context.Context, c layout.Cluster) error {
	info, _, err := sshd.Read(c)
	if err != nil {
		return err
	}
	dialer := net.Dialer{Timeout: 5 * time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(info.ForwardHost, strconv.Itoa(info.ForwardPort)))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	line, err := bufio.NewReaderSize(conn, 256).ReadString('\n')
	if err == nil && !strings.HasPrefix(line, "SSH-2.0-") {
		err = fmt.Errorf("it says %q", line)
	}
	return err
}
