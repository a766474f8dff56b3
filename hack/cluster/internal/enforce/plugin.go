package enforce

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sallyport/sallyport/hack/cluster/internal/layout"
)

// Plugin is the last plugin of the pods' CNI chain: it holds a pod's start until
// the enforcer knows the pod's address, so no container ever runs without its rules.
// https://www.cni.dev/docs/spec/
func Plugin(stdin io.Reader, stdout io.Writer) error {
	if os.Getenv("CNI_COMMAND") == "VERSION" {
		_, err := io.WriteString(stdout, `{"cniVersion":"1.0.0","supportedVersions":["0.4.0","1.0.0"]}`)
		return err
	}
	var config struct {
		PrevResult json.RawMessage `json:"prevResult"`
	}
	if err := json.NewDecoder(io.LimitReader(stdin, 1<<20)).Decode(&config); err != nil {
		return pluginError(stdout, err)
	}
	switch os.Getenv("CNI_COMMAND") {
	case "ADD":
		if err := add(config.PrevResult); err != nil {
			return pluginError(stdout, err)
		}
		_, err := stdout.Write(config.PrevResult)
		return err
	case "DEL":
		// Nobody to tell is no reason to keep a dead pod.
		_ = tell(notice{Remove: true, ID: os.Getenv("CNI_CONTAINERID")})
	}
	return nil
}

func add(previous json.RawMessage) error {
	var result struct {
		IPs []struct {
			Address string `json:"address"`
		} `json:"ips"`
	}
	if err := json.Unmarshal(previous, &result); err != nil {
		return err
	}
	if len(result.IPs) != 1 {
		return fmt.Errorf("the pod has %d addresses, want 1", len(result.IPs))
	}
	ip, _, err := net.ParseCIDR(result.IPs[0].Address)
	if err != nil {
		return err
	}
	arguments := map[string]string{}
	for pair := range strings.SplitSeq(os.Getenv("CNI_ARGS"), ";") {
		key, value, _ := strings.Cut(pair, "=")
		arguments[key] = value
	}
	return tell(notice{
		ID: os.Getenv("CNI_CONTAINERID"), IP: ip.String(),
		Namespace: arguments["K8S_POD_NAMESPACE"], Name: arguments["K8S_POD_NAME"],
	})
}

// tell sends a notice and waits for the answer. The enforcer's socket is found by
// where the plugin is: <cluster>/cni/bin.
func tell(n notice) error {
	path, err := filepath.Abs(os.Args[0])
	if err != nil {
		return err
	}
	c := layout.Cluster{Dir: filepath.Join(filepath.Dir(path), "..", "..")}
	conn, err := net.DialTimeout("unix", c.PolicySocket(), 5*time.Second)
	if err != nil {
		return fmt.Errorf("the policy enforcer does not answer: %w", err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(patience + 5*time.Second)); err != nil {
		return err
	}
	if err := json.NewEncoder(conn).Encode(n); err != nil {
		return err
	}
	var r reply
	if err := json.NewDecoder(conn).Decode(&r); err != nil {
		return err
	}
	if r.Error != "" {
		return errors.New(r.Error)
	}
	return nil
}

// pluginError reports in the form that the CNI specification asks for.
func pluginError(stdout io.Writer, err error) error {
	const tryAgainLater = 11
	_ = json.NewEncoder(stdout).Encode(map[string]any{"cniVersion": "1.0.0", "code": tryAgainLater, "msg": err.Error()})
	return err
}
