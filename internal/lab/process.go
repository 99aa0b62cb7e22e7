package lab

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is a child that never outlives us.
type process struct {
	pid  int
	cmd  *exec.Cmd
	done chan struct{} // closed when it was waited for
	err  error         // of Wait, readable after done
}

// startProcess starts argv with its output appended to logFile. The kernel kills it
// when this process dies, and the end of ctx kills it.
func startProcess(ctx context.Context, argv, env []string, logFile string) (*process, error) {
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	defer log.Close()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = log, log
	// Its own process group: a Ctrl-C at the terminal is ours to pass on, in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}

	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// Pdeathsig is about the thread that forked: it must live as long as the child.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("lab: start %s: %w", argv[0], err)
	}
	p.pid = cmd.Process.Pid
	// A core file would be memory on disk: no crash of this one writes any.
	if err := unix.Prlimit(p.pid, unix.RLIMIT_CORE, &unix.Rlimit{}, nil); err != nil && !errors.Is(err, unix.ESRCH) {
		p.kill()
		return nil, fmt.Errorf("lab: forbid core files: %w", err)
	}
	return p, nil
}

// ended is why it ended; nil error means it was asked to.
func (p *process) ended() error {
	if p.err == nil {
		return ErrNotRunning
	}
	return fmt.Errorf("%w: %w", ErrNotRunning, p.err)
}

// kill ends it at once and waits.
func (p *process) kill() {
	p.cmd.Process.Kill() // fails only when it is gone already
	<-p.done
}

// stop asks it to end, and kills it when ctx ends before it has.
func (p *process) stop(ctx context.Context) error {
	p.cmd.Process.Signal(syscall.SIGTERM) // fails only when it is gone already
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		p.kill()
		return fmt.Errorf("lab: Asterisk did not stop in time and was killed: %w", context.Cause(ctx))
	}
}

func pinger(pool *x509.CertPool) *http.Client {
	return &http.Client{
		Timeout:   2 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}},
	}
}

// ping asks ARI whether it is there.
func ping(ctx context.Context, client *http.Client, url, user, password string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/ari/asterisk/ping", nil)
	if err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	req.SetBasicAuth(user, password)
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("lab: ARI: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("lab: ARI answers %s", resp.Status)
	}
	return nil
}
