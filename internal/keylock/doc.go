// SPDX-License-Identifier: Apache-2.0

// Package keylock has a lock for each of many names, such as the paths of files: whoever changes what stands under a name holds its
// lock, and others wait no longer than their context lets them.
package keylock
