// SPDX-License-Identifier: Apache-2.0

// Package policy decides who may move what, where and up to how much, and says why.
//
// A Policy is an ordered list of rules. The first rule that matches a Question decides it; when none matches, the answer is a
// denial (NERC CIP-005 R1.3, IEC 62443-3-3 SR 5.2: deny by default, allow by exception). Every rule carries the written reason
// that an auditor will read, and every Decision carries the rule and that reason.
//
// The package is pure: no I/O, no clock, no logging, no state. A Decision depends on the Question and the Policy only, so the
// command line's "explain" and the running gateway cannot disagree.
//
// What is not known is never guessed. FTP does not say how large an upload will be; where only the size could still make a
// difference the Verdict is Pending, the transfer may begin, and the question is asked again when all bytes are counted.
package policy
