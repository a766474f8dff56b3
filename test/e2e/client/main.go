// Command client is what end-to-end tests run in pods, where there is no psql:
//
//	client dial ADDRESS...       say of each address whether it can be reached
//	client query CONNINFO SQL    log in with the password of /token/token, print the first value
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

const patience = 30 * time.Second

func main() {
	log.SetFlags(0)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	switch os.Args[1] {
	case "dial":
		dial(ctx, os.Args[2:])
	case "query":
		if err := query(ctx, os.Args[2], os.Args[3]); err != nil {
			log.Fatal(err)
		}
	}
}

func dial(ctx context.Context, addresses []string) {
	var wait sync.WaitGroup
	for _, address := range addresses {
		wait.Go(func() { fmt.Println(address, reach(ctx, address)) })
	}
	wait.Wait()
}

// reach dials until an answer or no answer comes: a connection that is refused may
// only be early, before a Service knows its pods.
func reach(ctx context.Context, address string) string {
	for attempt := 1; ; attempt++ {
		dialer := net.Dialer{Timeout: 3 * time.Second}
		conn, err := dialer.DialContext(ctx, "tcp", address)
		if err == nil {
			_ = conn.Close()
			return "reached"
		}
		if attempt == 10 || !errors.Is(err, syscall.ECONNREFUSED) {
			return "kept away: " + err.Error()
		}
		time.Sleep(500 * time.Millisecond)
	}
}

func query(ctx context.Context, conninfo, sql string) error {
	config, err := pgx.ParseConfig(conninfo)
	if err != nil {
		return err
	}
	token, err := os.ReadFile("/token/token")
	if err != nil {
		return err
	}
	config.Password = strings.TrimSpace(string(token))
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	var answer string
	if err := conn.QueryRow(ctx, sql).Scan(&answer); err != nil {
		return err
	}
	fmt.Println("answer:", answer)
	return nil
}
