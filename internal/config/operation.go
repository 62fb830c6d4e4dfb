// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"slices"

	"github.com/ftpgw/ftpgw/policy"
)

// ParseOperation finds an operation by its name. The error suggests names.
func ParseOperation(name string) (policy.Operation, error) {
	op := policy.Operation(name)
	if !slices.Contains(policy.Operations(), op) {
		return "", fmt.Errorf("there is no operation %q. %s", name, Suggest(name, "operations", operationNames()))
	}
	return op, nil
}
