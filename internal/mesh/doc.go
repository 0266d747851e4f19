// Package mesh makes, reads and checks objects of Chaos Mesh, of the types of its own Go API.
//
// # Why it checks once more
//
// The API's own validation, which its webhook runs too, accepts what does harm: an empty selector hurts a whole namespace, an object without a
// duration stays for ever, loads beyond 100 % and losses of 150 % pass, and so does an action without its block. [Check] refuses all that, with
// the path of the field, before it asks the API's own functions for the rest.
//
// # What is not used
//
// The client of controller-runtime is not used, although the API's types bring its packages along: each of its calls is one REST request that
// package kube makes as well, it wants a mapper that needs a discovery the smallest API servers do not have, and the guardian and heal, which undo
// from plain data, must not need a scheme to delete one object.
package mesh
