package stat

import "gonum.org/v1/gonum/stat/distuv"

// ChiSquareAbove returns the chance of x or more in a chi-square distribution with so many degrees of freedom, above 0.
func ChiSquareAbove(x, degrees float64) float64 { return distuv.ChiSquared{K: degrees}.Survival(x) }
