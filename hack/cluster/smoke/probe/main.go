// Command probe is the pod of the smoke test. It serves HTTP and, as an aggregated
// API would, HTTPS; it dials and writes when it is told to.
//
//	probe serve            answer until the end
//	probe race ADDRESS     dial as fast as possible for two seconds, say when it first worked, then serve
//	probe dial ADDRESS     dial once and end
//	probe write FILE       write the file, then serve
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"time"
)

func main() {
	log.SetFlags(0)
	switch os.Args[1] {
	case "dial":
		fmt.Println(dial(os.Args[2], 3*time.Second))
		return
	case "race":
		race(os.Args[2])
	case "write":
		if err := os.WriteFile(os.Args[2], []byte("written"), 0o600); err != nil {
			log.Fatal(err)
		}
	}
	go serveTLS()
	log.Print("serving")
	http.HandleFunc("GET /hello", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })
	http.HandleFunc("GET /dial", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, dial(r.FormValue("address"), 1500*time.Millisecond))
	})
	log.Fatal(http.ListenAndServe(":8080", nil))
}

func dial(address string, patience time.Duration) string {
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return err.Error()
	}
	_ = conn.Close()
	return "connected"
}

func race(address string) {
	start := time.Now()
	for attempt := 1; time.Since(start) < 2*time.Second; attempt++ {
		if dial(address, 200*time.Millisecond) == "connected" {
			log.Printf("connected at attempt %d", attempt)
			return
		}
	}
	log.Print("never connected")
}

// serveTLS tells an aggregated API's caller what it was sent.
func serveTLS() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{
		Addr: ":8443",
		TLSConfig: &tls.Config{
			Certificates: []tls.Certificate{{Certificate: [][]byte{certificate}, PrivateKey: key}},
			ClientAuth:   tls.RequestClientCert,
		},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			caller := "nobody"
			if len(r.TLS.PeerCertificates) > 0 {
				caller = r.TLS.PeerCertificates[0].Subject.CommonName
			}
			fmt.Fprintf(w, `{"kind":"APIResourceList","apiVersion":"v1","groupVersion":"probe.sallyport.local/v1","resources":[],"user":%q,"caller":%q}`,
				r.Header.Get("X-Remote-User"), caller)
		}),
	}
	log.Fatal(server.ListenAndServeTLS("", ""))
}
