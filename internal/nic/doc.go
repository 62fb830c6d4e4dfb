// SPDX-License-Identifier: Apache-2.0

// Package nic holds sockets to one network interface, so that a zone's listener hears nobody who comes in by another zone's
// interface, and a conduit is dialled by its own.
//
// A listener's address alone does not do it: Linux takes every address of the machine for its own, whichever interface a packet
// comes in by (the weak end system model of RFC 1122, 3.3.4.2). Nor does an address to dial from, which says nothing about the route.
package nic
