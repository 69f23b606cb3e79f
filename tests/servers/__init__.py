"""Real servers for the tests and the benchmarks, on loopback, and a proxy that makes the network fail."""
