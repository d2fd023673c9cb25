// Command release makes what a release of Ringfence is made of: the image, and the list of licences of what
// is in it. The workflow of releases and the Dockerfile run it, and so do the tests.
//
// It guarantees what its packages image and licenses guarantee. It never publishes anything: that takes
// credentials, which only the workflow has.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/ringfence/ringfence/ci/release/image"
	"github.com/ringfence/ringfence/ci/release/licenses"
)

const help = `usage: go run -C .ci/release . COMMAND [FLAGS]

  image -o DIR      an OCI layout of the image; prints its digest
  files -o DIR      the files of the image, for the Dockerfile
  licenses -o FILE  the list of the licences of what is compiled in
  notices -o FILE   the texts of these licences
  sbom -o FILE      the bill of materials, as CycloneDX

Time is that of SOURCE_DATE_EPOCH (seconds since 1970), otherwise 1970.`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2) //nolint:forbidigo // this is main
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	commands := map[string]func(context.Context, []string, io.Writer, io.Writer) error{
		"image": makeImage, "files": makeFiles,
		"licenses": writing(licenses.WriteTable), "notices": writing(licenses.WriteNotices), "sbom": makeSBOM,
	}
	if len(args) == 0 || commands[args[0]] == nil {
		return fmt.Errorf("%s", help)
	}
	return commands[args[0]](ctx, args[1:], stdout, stderr)
}

// buildFlags are those that image and files share.
func buildFlags(flags *flag.FlagSet) (build *image.Build, archs, out *string) {
	build = &image.Build{}
	flags.StringVar(&build.Source, "source", filepath.Join("..", ".."), "root of the checkout")
	flags.StringVar(&build.Version, "version", "", "release, such as v1.2.3")
	flags.StringVar(&build.Revision, "revision", "", "commit")
	archs = flags.String("arch", runtime.GOARCH, "machines, with commas between them")
	out = flags.String("o", "", "folder that is made (required)")
	return build, archs, out
}

// prepare reads the flags that all commands have, and the environment.
func prepare(name string, args []string, stderr io.Writer) (build image.Build, archs []string, out string, err error) {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(stderr)
	b, list, folder := buildFlags(flags)
	if err := flags.Parse(args); err != nil {
		return build, nil, "", err
	}
	if *folder == "" || flags.NArg() > 0 {
		return build, nil, "", fmt.Errorf("%s takes -o DIR and flags alone", name)
	}
	if b.Created, err = image.Epoch(os.Getenv("SOURCE_DATE_EPOCH")); err != nil {
		return build, nil, "", err
	}
	b.Log = stderr
	return *b, strings.Split(*list, ","), *folder, nil
}

func makeImage(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	build, archs, out, err := prepare("image", args, stderr)
	if err != nil {
		return err
	}
	digest, err := image.Layout(ctx, build, archs, out)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, digest)
	return err
}

func makeFiles(ctx context.Context, args []string, _, stderr io.Writer) error {
	build, archs, out, err := prepare("files", args, stderr)
	if err != nil {
		return err
	}
	if len(archs) != 1 {
		return fmt.Errorf("files are those of one machine, not of %s", strings.Join(archs, ", "))
	}
	build.Arch = archs[0]
	return image.Files(ctx, build, out)
}

// writing returns a command that writes what is known of licences into a file.
func writing(write func(io.Writer, []licenses.Module) error) func(context.Context, []string, io.Writer, io.Writer) error {
	return func(ctx context.Context, args []string, _, stderr io.Writer) error {
		return list(ctx, args, stderr, func(w io.Writer, modules []licenses.Module, _ image.Build) error { return write(w, modules) })
	}
}

func makeSBOM(ctx context.Context, args []string, _, stderr io.Writer) error {
	return list(ctx, args, stderr, func(w io.Writer, modules []licenses.Module, b image.Build) error {
		return licenses.WriteSBOM(w, modules, b.Version)
	})
}

// list writes what is made of the modules into a file.
func list(ctx context.Context, args []string, stderr io.Writer, write func(io.Writer, []licenses.Module, image.Build) error) error {
	build, _, out, err := prepare("lists", args, stderr)
	if err != nil {
		return err
	}
	modules, err := licenses.List(ctx, build.Source)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := write(&text, modules, build); err != nil {
		return err
	}
	return os.WriteFile(out, text.Bytes(), 0o644) //nolint:gosec // for everybody to read
}
