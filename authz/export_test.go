package authz

// House is the shipped policy with every platform of the repository.
func House(more ...Layer) Sources { return house(more...) }
