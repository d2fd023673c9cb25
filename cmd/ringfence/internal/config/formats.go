package config

import (
	"net"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/config/strict"
)

// formats is the table of the checks that the tags of the structs name. Unless
// a check says otherwise, "" is the absence of the setting and passes.
func formats() map[string]func(string) error {
	return map[string]func(string) error{
		"calicoVersion": calicoVersion,
		"cidr":          cidr,
		"commit":        matching(`^[0-9a-f]{40}$`, "is not a full commit hash", "40 hexadecimal digits in lower case"),
		"dnsLabel":      kubernetes(validation.IsDNS1123Label, "is not a DNS label"),
		"dnsName":       kubernetes(validation.IsDNS1123Subdomain, "is not a name"),
		"file":          file,
		"folder":        folder,
		"folderGlob":    folderGlob,
		"glob":          glob,
		"group":         group,
		"kind":          matching(`^[A-Z][A-Za-z0-9]*$`, "is not a kind", "as in manifests: NetworkPolicy"),
		"labelKey":      kubernetes(validation.IsQualifiedName, "is not a label key"),
		"labelValue":    labelValue,
		"line":          line,
		"listen":        listen,
		"name":          matching(`^[A-Za-z0-9][A-Za-z0-9:._-]*$`, "is not a name", "letters, digits, and :._- between them"),
		"nameGlob":      nameGlob,
		"path":          plainPath,
		"pathGlob":      pathGlob,
		"proxyURL":      proxyURL,
		"refName":       refName,
		"semver":        semverConstraint,
		"sha256":        matching(`^[0-9a-f]{64}$`, "is not a SHA-256", "64 hexadecimal digits in lower case, as specHash in /api/v1/drift"),
		"sourceURL":     sourceURL,
		"timeZone":      timeZone,
	}
}

func matching(pattern, message, hint string) func(string) error {
	form := regexp.MustCompile(pattern)
	return func(text string) error {
		if text == "" || form.MatchString(text) {
			return nil
		}
		return strict.Invalidf(hint, "%q %s", text, message)
	}
}

// kubernetes wraps a check of k8s.io/apimachinery; "" does not pass.
func kubernetes(check func(string) []string, message string) func(string) error {
	return func(text string) error {
		if reasons := check(text); len(reasons) > 0 {
			return strict.Invalidf(strings.Join(reasons, "; "), "%q %s", text, message)
		}
		return nil
	}
}

func group(text string) error {
	if text == "" {
		return nil
	}
	return kubernetes(validation.IsDNS1123Subdomain, "is not an API group")(text)
}

func labelValue(text string) error {
	return kubernetes(validation.IsValidLabelValue, "is not a label value")(text)
}

func calicoVersion(text string) error {
	if ok, _ := regexp.MatchString(`^(auto|[0-9]+\.[0-9]+(\.[0-9]+)?)$`, text); ok {
		return nil
	}
	return strict.Invalidf(`such as "3.31", or auto`, "%q is not a Calico version", text)
}

func cidr(text string) error {
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		if addr, err := netip.ParseAddr(text); err == nil {
			return strict.Invalidf("write "+netip.PrefixFrom(addr, addr.BitLen()).String()+" for this one address", "%q is an address, not a CIDR", text)
		}
		return strict.Invalidf("such as 10.0.0.0/8 or fd00::/8", "%q is not a CIDR", text)
	}
	if masked := prefix.Masked(); masked != prefix {
		return strict.Invalidf("write "+masked.String()+" for the range", "%q has bits behind its prefix length", text)
	}
	return nil
}

func file(text string) error {
	if strings.ContainsRune(text, 0) {
		return strict.Invalidf("", "a path must not hold NUL")
	}
	if strings.Contains(text, "-----BEGIN") || strings.Contains(text, "\n") {
		return strict.Invalidf("write the content to a file and name it here", "this is the content of a file, not its path")
	}
	return nil
}

func line(text string) error {
	if strings.ContainsAny(text, "\r\n\x00") {
		return strict.Invalidf("", "must be one line")
	}
	return nil
}

func glob(text string) error {
	if text == "" {
		return strict.Invalidf(`"*" matches every name`, "must not be empty")
	}
	if strings.HasPrefix(text, "!") {
		return strict.Invalidf("list what is meant instead", "%q: globs cannot be negated", text)
	}
	if _, err := path.Match(text, ""); err != nil {
		return strict.Invalidf("* any text, ? any character, [a-z] a range, \\ before a character that is meant itself", "%q is not a glob", text)
	}
	return nil
}

// nameGlob checks a glob of names of Kubernetes objects; "" passes.
func nameGlob(text string) error {
	if text == "" {
		return nil
	}
	if err := glob(text); err != nil {
		return err
	}
	if strings.ContainsAny(text, "/ _") || strings.ToLower(text) != text {
		return strict.Invalidf("names hold lower-case letters, digits, - and .", "%q matches no name", text)
	}
	return nil
}

// plainPath checks a path inside the repository, in the form that io/fs has.
func plainPath(text string) error {
	switch {
	case strings.Contains(text, `\`):
		return strict.Invalidf("write "+strings.ReplaceAll(text, `\`, "/"), "%q: paths are written with slashes", text)
	case strings.HasPrefix(text, "/"):
		return strict.Invalidf("write "+path.Clean(strings.TrimLeft(text, "/")), "%q: paths are relative to the repository's root", text)
	case text == ".." || strings.HasPrefix(path.Clean(text), "../"):
		return strict.Invalidf("", "%q leads out of the repository", text)
	case path.Clean(text) != text:
		return strict.Invalidf("write "+path.Clean(text), "%q is not a plain path", text)
	}
	return nil
}

// folder checks a folder below the repository's root.
func folder(text string) error {
	switch {
	case text == "":
		return strict.Invalidf("", "must not be empty")
	case text == ".":
		return strict.Invalidf("", "must be a folder below the root, not the root itself")
	case strings.ContainsAny(text, "*?["):
		return strict.Invalidf("", "%q names one folder and cannot be a glob", text)
	}
	return plainPath(text)
}

// folderGlob checks a glob of folders below the repository's root.
func folderGlob(text string) error {
	if text == "." {
		return folder(text)
	}
	return pathGlob(text)
}

func pathGlob(text string) error {
	if err := glob(text); err != nil {
		return err
	}
	if strings.Contains(text, "**") {
		return strict.Invalidf("write one * for each folder", `%q: "**" is not known`, text)
	}
	return plainPath(text)
}

func refName(text string) error {
	if short, ok := strings.CutPrefix(text, "refs/heads/"); ok {
		return strict.Invalidf("write "+short, "%q: a branch goes by its short name", text)
	}
	if short, ok := strings.CutPrefix(text, "refs/tags/"); ok {
		return strict.Invalidf("write "+short, "%q: a tag goes by its short name", text)
	}
	bad := text == "" || strings.HasPrefix(text, "-") || strings.HasPrefix(text, "/") || strings.HasSuffix(text, "/") ||
		strings.HasSuffix(text, ".") || strings.HasSuffix(text, ".lock") || text == "@" ||
		strings.Contains(text, "..") || strings.Contains(text, "//") || strings.Contains(text, "@{") ||
		strings.Contains("/"+text, "/.") || strings.ContainsAny(text, " ~^:?*[\\\x7f") || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' })
	if bad {
		return strict.Invalidf("see git-check-ref-format(1)", "%q is not a name that Git allows", text)
	}
	return nil
}

func semverConstraint(text string) error {
	if _, err := semver.NewConstraint(text); err != nil || text == "" {
		return strict.Invalidf(`such as ">=1.2.0 <2", "~1.4", "^2"`, "%q is not a version constraint", text)
	}
	return nil
}

func timeZone(text string) error {
	if _, err := time.LoadLocation(text); err != nil || text == "Local" {
		return strict.Invalidf("a name of the IANA database: Europe/Berlin, UTC", "%q is not a time zone", text)
	}
	return nil
}

var scpLike = regexp.MustCompile(`^(?:([^@/:]+)@)?([^/:@]+):(.*)$`)

func sourceURL(text string) error {
	const allowed = "allowed: https://, http://, ssh://, file://"
	if !strings.Contains(text, "://") {
		switch m := scpLike.FindStringSubmatch(text); {
		case strings.HasPrefix(text, "/"):
			return strict.Invalidf("write file://"+text, "%q is a path, not a URL", text)
		case m != nil:
			user := m[1]
			if user == "" {
				user = "git"
			}
			return strict.Invalidf("write ssh://"+user+"@"+m[2]+"/"+strings.TrimLeft(m[3], "/"), "%q is in scp's form, not a URL", text)
		}
		return strict.Invalidf(allowed, "%q is not a URL", text)
	}
	u, err := url.Parse(text)
	if err != nil {
		return strict.Invalidf(allowed, "this is not a URL") // not repeated: it may hold a password
	}
	if _, ok := u.User.Password(); ok {
		return strict.Invalidf("use source.auth.username and passwordFile or tokenFile", "a URL must not hold a password")
	}
	switch u.Scheme {
	case "https", "http":
		if u.User != nil {
			return strict.Invalidf("use source.auth.username", "an %s URL must not hold a user name", u.Scheme)
		}
	case "ssh":
	case "file":
		if u.Host != "" || !strings.HasPrefix(u.Path, "/") || u.Path == "/" {
			return strict.Invalidf("file:///srv/policies.git, with three slashes", "%q names no folder on this machine", text)
		}
		return nil
	default:
		return strict.Invalidf(allowed, "%q has an unknown scheme", text)
	}
	return hostAndPath(u, text)
}

func hostAndPath(u *url.URL, text string) error {
	switch {
	case u.Hostname() == "":
		return strict.Invalidf("", "%q has no host", text)
	case u.Path == "" || u.Path == "/":
		return strict.Invalidf("", "%q names no repository on %s", text, u.Host)
	case u.RawQuery != "" || u.Fragment != "":
		return strict.Invalidf("give the branch or tag in source.ref, the folder in source.path", "%q has a query or a fragment", text)
	}
	return port(u.Port(), 1)
}

func proxyURL(text string) error {
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil {
		return strict.Invalidf("such as http://proxy.example.com:3128", "this is not a URL")
	}
	if _, ok := u.User.Password(); ok {
		return strict.Invalidf("set HTTPS_PROXY in the environment instead", "a URL must not hold a password")
	}
	if u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "socks5" || u.Hostname() == "" {
		return strict.Invalidf("allowed: http://, https://, socks5:// and a host", "%q is not a proxy's URL", text)
	}
	return port(u.Port(), 1)
}

func listen(text string) error {
	if text == "" {
		return nil
	}
	const hint = "such as 127.0.0.1:8080, [::1]:8080, or :8080 for every address"
	if strings.Contains(text, "://") {
		return strict.Invalidf(hint, "%q is a URL, not an address with a port", text)
	}
	host, number, err := net.SplitHostPort(text)
	if err != nil || number == "" {
		return strict.Invalidf(hint, "%q is not an address with a port", text)
	}
	if _, err := netip.ParseAddr(host); err != nil && host != "" && len(validation.IsDNS1123Subdomain(strings.ToLower(host))) > 0 {
		return strict.Invalidf(hint, "%q is not the name or address of a host", host)
	}
	return port(number, 0)
}

func port(text string, least int) error {
	if text == "" {
		return nil
	}
	if n, err := strconv.Atoi(text); err != nil || n < least || n > 65535 || text[0] == '+' {
		return strict.Invalidf("a number from "+strconv.Itoa(least)+" to 65535", "%q is not a port", text)
	}
	return nil
}
