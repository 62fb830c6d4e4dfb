// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"strings"
	"sync"
)

// activeFiles are the temporaries of the uploads that are under way. The zero activeFiles is empty.
type activeFiles struct {
	mu    sync.Mutex
	paths map[string]struct{}
}

func (a *activeFiles) add(p string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.paths == nil {
		a.paths = make(map[string]struct{})
	}
	a.paths[p] = struct{}{}
}

func (a *activeFiles) remove(p string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.paths, p)
}

// below reports whether an upload is under way anywhere below dir.
func (a *activeFiles) below(dir string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for p := range a.paths {
		if strings.HasPrefix(p, dir+"/") {
			return true
		}
	}
	return false
}
