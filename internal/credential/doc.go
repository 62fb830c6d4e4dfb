// SPDX-License-Identifier: Apache-2.0

// Package credential keeps device passwords: as hashes of bcrypt or argon2id in the configuration, and out of every log while they are
// in memory. It checks them (Checker) without letting whoever sends passwords have the processors.
//
// It promises that a password which Hash refuses is never accepted by Verify, that an unusable hash is found by Check when the
// configuration is read and not at the first login, and that a Secret does not show its text, whoever prints, logs or marshals it.
package credential
