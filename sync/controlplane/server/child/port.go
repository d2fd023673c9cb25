package child

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"
)

const portPatience = 5 * time.Second // for a predecessor to be gone

// Listen binds the port of the loopback interface that the file path
// remembers or, if there is no such file, one that the kernel chooses and the
// file remembers from then on. The port is held from here on.
func Listen(path string) (net.Listener, error) {
	known, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("choosing a port: %w", err)
		}
		if err := os.WriteFile(path, []byte(strconv.Itoa(Port(l))+"\n"), 0o600); err != nil {
			return nil, errors.Join(fmt.Errorf("remembering the port: %w", err), l.Close())
		}
		return l, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the port: %w", err)
	}
	port := strings.TrimSpace(string(known))
	for end := time.Now().Add(portPatience); ; time.Sleep(50 * time.Millisecond) {
		l, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", port))
		if err == nil {
			return l, nil
		}
		if time.Now().After(end) {
			return nil, fmt.Errorf("taking port %s, which %s names and clients of this folder know: %w; end the process that has it, or remove the file to get another", port, path, err)
		}
	}
}

// Port returns the port of a listener on the loopback interface.
func Port(l net.Listener) int {
	return int(netip.MustParseAddrPort(l.Addr().String()).Port())
}
