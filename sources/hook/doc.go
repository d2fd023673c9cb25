// Package hook takes push hooks: requests by which a Git forge says that somebody pushed. One means
// "poll now" and nothing else.
//
// It guarantees that nothing of a request but its headers and the bytes of its body, which are only
// hashed, is looked at before the sender has shown that it knows the secret, and that this is compared in
// constant time. It knows the hooks of GitHub, Gitea and Forgejo, and Bitbucket (HMAC-SHA256 of the body) and
// of GitLab (the secret itself, as X-Gitlab-Token).
//
// It never parses a body, not even afterwards: what was pushed is Git's to say. It never keeps one in memory.
//
// Limitations: a hook that somebody recorded can be sent again, since forges sign no time; it then means that
// Git is asked once more, as often as the limit on the rate allows. Where several replicas are behind one address,
// a hook reaches one of them, which hands it on to the one that leads ([Send]); any others poll on their schedule.
//
// Rejected: taking the revision from the body (a forged or an old one would have to be refused by the same checks
// that a poll makes anyway), and the SHA-1 signatures that GitHub still sends beside the others.
package hook
