"""Room: sim. One process, one seed, one history: the product's own code in virtual time, on a network in memory."""
