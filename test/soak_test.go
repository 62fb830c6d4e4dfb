// SPDX-License-Identifier: Apache-2.0

package test

import "os"

// often is how many times a fault is tried: the first number, or the second one where FTPGW_SOAK=1 asks for the long form (make
// soak).
func often(short, soak int) int {
	if os.Getenv("FTPGW_SOAK") == "1" {
		return soak
	}
	return short
}
