// Package resolver is a name server of our own on loopback, whose answers can be made to fail.
//
// A [Server] answers A and AAAA questions over UDP: from its own zone, or from what [Others] finds out. [Conditions] laid on it
// strike the questions for some names or for all: no such name, a failing server, silence, a late answer or a wrong one. Whoever is to feel it has
// to ask this server: the sandbox's workers do, and a [Dialer] does. Its answers may not be kept (their time to live is 0), so a fault is
// felt by the next lookup, and connections that are open feel nothing.
//
// [Ask] is one question as a client asks it. A question that says it is a probe is always struck and never counted, so that a
// fault can be measured without changing whom else it strikes.
package resolver
