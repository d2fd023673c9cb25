// Package ringfence is the root of the project.
package ringfence
