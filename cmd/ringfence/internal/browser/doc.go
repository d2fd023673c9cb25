// Package browser has tests alone: the daemon's page in a real Chromium.
//
// It is a module of its own, so that the daemon's go.mod never sees a browser's protocol. Its tests look at daemons that
// other tests run, and say in the environment where they are: those of cmd/ringfence have a demo, those of its package web
// what no demo is (five thousand tenants, names that are markup, a replica that stands by). They are not run by hand, but
// with RINGFENCE_BROWSER_SHOTS=FOLDER they leave what they saw there, to be looked at.
//
// It guarantees that each view was opened in a real browser, at both widths and in both themes, without a console error, a
// request to anywhere else or a serious finding of axe-core; that all of it can be used with the keyboard, and read without
// scripts; it never writes to what it looks at, but for what kubectl does in its tests. How long paint and search take is
// measured and never judged.
//
// Limitations: Chromium alone, and no screen reader: what axe-core finds is what is known of accessibility.
//
// testdata/axe.min.js is axe-core 4.14.1 of Deque Systems, as published on npm, under the Mozilla Public License 2.0; its
// notice stands at its head. It is test data, and no part of any program.
package browser
