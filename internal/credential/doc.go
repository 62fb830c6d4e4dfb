// SPDX-License-Identifier: Apache-2.0

// Package credential keeps device passwords as bcrypt hashes.
//
// It promises that a password which Hash refuses is never accepted by Verify, and that an unusable hash is found by Check when the
// configuration is read and not at the first login.
package credential
