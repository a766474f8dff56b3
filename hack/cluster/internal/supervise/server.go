package supervise

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Run serves orders on a unix socket, for ever. It calls ready once it listens.
func Run(socket string, ready func()) error {
	t := &table{entries: map[string]*entry{}}
	children := make(chan os.Signal, 1)
	signal.Notify(children, syscall.SIGCHLD)
	go func() {
		for range children {
			t.reap()
		}
	}()

	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	// Whoever may write here may run anything as root.
	if err := os.Chmod(socket, 0o600); err != nil {
		return err
	}
	ready()
	server := &http.Server{Handler: t.handler(), ReadHeaderTimeout: 5 * time.Second}
	return server.Serve(listener)
}

func (t *table) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /processes", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, t.list(), nil)
	})
	mux.HandleFunc("PUT /processes/{name}", func(w http.ResponseWriter, r *http.Request) {
		var spec Spec
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&spec); err != nil || len(spec.Args) == 0 {
			http.Error(w, "want a spec with args", http.StatusBadRequest)
			return
		}
		spec.Name = r.PathValue("name")
		status, err := t.start(spec)
		answer(w, status, err)
	})
	mux.HandleFunc("POST /processes/{name}", func(w http.ResponseWriter, r *http.Request) {
		status, err := t.again(r.PathValue("name"))
		answer(w, status, err)
	})
	mux.HandleFunc("DELETE /processes/{name}", func(w http.ResponseWriter, r *http.Request) {
		status, err := t.stop(r.Context(), r.PathValue("name"))
		answer(w, status, err)
	})
	return mux
}

func answer(w http.ResponseWriter, body any, err error) {
	if err != nil {
		code := http.StatusInternalServerError
		if errors.Is(err, errUnknown) {
			code = http.StatusNotFound
		}
		http.Error(w, err.Error(), code)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}
