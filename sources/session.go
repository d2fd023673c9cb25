package sources

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/transport"
)

// defaultUser is who we are where Auth.Username is empty.
const defaultUser = "git"

// advertisementBytes bounds the list of refs that a remote may send: some 500,000 of them.
const advertisementBytes = 64 << 20

// session is one conversation with a remote's upload-pack: the list of its refs, then at most one
// pack. It is used by one goroutine, and closed by it.
type session interface {
	// AdvertisedReferencesContext lists the refs. An empty repository is
	// transport.ErrEmptyRemoteRepository.
	AdvertisedReferencesContext(context.Context) (*packp.AdvRefs, error)
	// UploadPack asks for a pack; the caller closes the response.
	UploadPack(context.Context, *packp.UploadPackRequest) (*packp.UploadPackResponse, error)
	Close() error
}

// connect opens a session. The errors of all three methods are for explain.
func (r *Repository) connect(ctx context.Context, s secrets) (session, error) {
	switch r.at.scheme {
	case "https", "http":
		return connectHTTP(r.at, r.config, s)
	case "ssh":
		return connectSSH(ctx, r.at, r.config.Auth, s)
	case "file":
		return connectFile(ctx, r.at)
	}
	return nil, fmt.Errorf("no transport for scheme %q", r.at.scheme) // validate has excluded it
}

// piped speaks the protocol over a pair of pipes, as with ssh and with a child process.
type piped struct {
	in     io.WriteCloser
	out    io.Reader
	stderr func() string // the first line of it; waits for the other end to finish
	end    func() error
	listed bool
	packed bool
}

func (p *piped) AdvertisedReferencesContext(ctx context.Context) (*packp.AdvRefs, error) {
	refs := packp.NewAdvRefs()
	err := refs.Decode(bounded(p.out, advertisementBytes, "the list of refs"))
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	switch {
	case errors.Is(err, packp.ErrEmptyAdvRefs):
		p.listed = true
		return nil, transport.ErrEmptyRemoteRepository
	case err != nil:
		if line := p.stderr(); line != "" {
			return nil, &remoteLine{line}
		}
		return nil, err
	}
	p.listed = true
	if refs.IsEmpty() {
		return nil, transport.ErrEmptyRemoteRepository
	}
	transport.FilterUnsupportedCapabilities(refs.Capabilities)
	return refs, nil
}

func (p *piped) UploadPack(ctx context.Context, req *packp.UploadPackRequest) (*packp.UploadPackResponse, error) {
	if err := req.Validate(); err != nil {
		return nil, err
	}
	p.packed = true
	if err := p.ask(req); err != nil {
		return nil, p.instead(ctx, err)
	}
	resp := packp.NewUploadPackResponse(req)
	if err := resp.Decode(io.NopCloser(p.out)); err != nil {
		return nil, p.instead(ctx, err)
	}
	return resp, nil
}

func (p *piped) ask(req *packp.UploadPackRequest) error {
	if err := req.UploadRequest.Encode(p.in); err != nil {
		return err
	}
	if err := req.UploadHaves.Encode(p.in, true); err != nil {
		return err
	}
	_, err := io.WriteString(p.in, "0009done\n")
	return err
}

// instead prefers what the other end said over how the pipe broke.
func (p *piped) instead(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if line := p.stderr(); line != "" {
		return &remoteLine{line}
	}
	return err
}

// Close says goodbye if only the refs were listed, so that the other end leaves without complaint.
func (p *piped) Close() error {
	if p.listed && !p.packed {
		_, _ = io.WriteString(p.in, "0000")
	}
	_ = p.in.Close()
	return p.end()
}

// remoteLine is what the other end wrote to its standard error.
type remoteLine struct{ line string }

func (r *remoteLine) Error() string { return "the remote says: " + r.line }

// bounded is an io.LimitedReader that fails instead of pretending that the end was reached.
func bounded(r io.Reader, limit int64, what string) io.Reader {
	return &boundedReader{r, limit, limit, what}
}

type boundedReader struct {
	r           io.Reader
	left, limit int64
	what        string
}

func (b *boundedReader) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, &fault{reason: ReasonLimit, err: fmt.Errorf("%s is larger than %d bytes", b.what, b.limit)}
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.r.Read(p)
	b.left -= int64(n)
	return n, err
}
