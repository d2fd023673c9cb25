// Package pki makes the keys and certificates of one control plane and keeps
// them in a folder.
//
// It guarantees that a folder holds either a whole set or none: a set is
// written beside its place and renamed into it, and one that exists is used
// as it is. Private keys are readable by their owner only. Servers' certificates
// are for 127.0.0.1, ::1 and the server's names. All last ten years; nothing
// renews them, since a control plane that outlives its certificates is no
// throw-away one.
//
// It never installs a certificate anywhere else. Rejected: RSA (a key takes
// up to a second to make, an elliptic one a millisecond), and kube-apiserver's
// own self-signed certificate (its clients could not verify it).
package pki
