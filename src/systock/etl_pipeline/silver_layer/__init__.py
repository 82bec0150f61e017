"""Silver: conforming what landed to the entities' contracts, every version kept in two times."""
