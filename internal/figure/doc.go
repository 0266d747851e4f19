// Package figure finds the figures in what is put out and says which stand alone: a figure has n and an interval with its confidence, or a reason. Tests of
// everything that puts out figures use it. What is no figure, or no sample's, stands in one table with the reason (exceptions.go).
package figure
