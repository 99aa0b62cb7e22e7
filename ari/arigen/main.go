// Command arigen writes the generated part of package ari (the *_gen.go files)
// from the description a running Asterisk serves of itself, or checks that the
// committed files still agree with one.
//
//	go run ./ari/arigen -url http://127.0.0.1:8088/ari -user NAME -out ari
//	go run ./ari/arigen -url ... -user NAME -check
//
// The password is read from the environment variable ARI_PASSWORD. With -check
// nothing is written; each difference is printed and the exit status is 1.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/callward/callward/ari/arigen/spec"
)

func main() {
	base := flag.String("url", "http://127.0.0.1:8088/ari", "address of Asterisk's REST interface")
	user := flag.String("user", "callward", "user of ari.conf; its password is in ARI_PASSWORD")
	ca := flag.String("ca", "", "PEM file with the authority of Asterisk's certificate")
	out := flag.String("out", "ari", "directory to write the generated files into")
	check := flag.Bool("check", false, "write nothing; tell what differs")
	flag.Parse()
	if err := run(*base, *user, *ca, *out, *check); err != nil {
		fmt.Fprintln(os.Stderr, "arigen:", err)
		os.Exit(1)
	}
}

func run(base, user, ca, out string, check bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	fetch, err := fetcher(base, user, os.Getenv("ARI_PASSWORD"), ca)
	if err != nil {
		return err
	}
	s, err := spec.Load(ctx, fetch)
	if err != nil {
		return err
	}
	if check {
		diff := spec.Diff(spec.Generated, s.Describe())
		for _, d := range diff {
			fmt.Println(d)
		}
		if len(diff) > 0 {
			return fmt.Errorf("%d differences: run arigen without -check against this Asterisk and commit the result", len(diff))
		}
		return nil
	}
	files, err := generate(s)
	if err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(out, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func fetcher(base, user, password, ca string) (spec.Fetch, error) {
	client := &http.Client{}
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return nil, err
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, errors.New(ca + " holds no PEM certificate")
		}
		client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	}
	return func(ctx context.Context, file string) ([]byte, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(base, "/")+"/api-docs/"+file, nil)
		if err != nil {
			return nil, err
		}
		r.SetBasicAuth(user, password)
		resp, err := client.Do(r)
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("%s: %s (is ARI_PASSWORD set?)", file, resp.Status)
		}
		return io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	}, nil
}
