//go:build !guanxi_planted_order

package platform

// ordered is the store in which a courier writes down what it does, before it does it and after.
func ordered(s Store) Store { return s }
