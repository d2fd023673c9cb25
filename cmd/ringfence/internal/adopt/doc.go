// Package adopt turns what lives in a namespace into the files of its overlay.
//
// It guarantees that what it writes means what lives: the spec is the live one without what the server adds by itself, and
// whatever is not written (what the base gives already, what a chart or a controller keeps, what an overlay may not hold) has a
// Finding that says so. What the files come to is compared with the cluster by whoever calls, see Announce.
//
// Left out of Git are the fields of the server's metadata, field managers, the status, and the labels and annotations by which
// Helm and other GitOps tools mark what is theirs: in Git they would make those tools believe that the object is still theirs,
// and remove it some day. Of a network set only those that no selector can mean.
//
// It never asks a cluster, and never writes a file.
//
// Limitations: who keeps an object is told by names of field managers, labels and annotations, which anyone can write; it decides
// about nothing but what is proposed for Git.
//
// Rejected: the live objects as they are (a chart's open policies would be blessed by Git on the first day); strategic merge
// patches for what differs from the base (lists of rules have no keys, so that such a patch replaces some and keeps others).
package adopt
