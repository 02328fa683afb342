//go:build race

package scenario

func init() { patience *= 5 } // the race detector makes everything slow
